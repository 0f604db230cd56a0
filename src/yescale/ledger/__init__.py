"""The only writer of money: purses, leases, settlement of journals, double entry, and the proof that it all adds up."""
