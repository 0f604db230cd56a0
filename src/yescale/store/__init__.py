"""The database: tables, migrations, connections and one query module per aggregate. Rows leave as frozen Structs."""
