"""The System API field by field: every value is caused by the test and computed here, not by the code under test."""

from tests.integration.control.house import House


async def test_a_fresh_demo_account_has_one_dollar(house: House) -> None:
    answer = await house.get("user")
    assert answer.status_code == 200
    key = house.note["access_key"]
    assert answer.json() == {
        "data": {
            "access_token": f"{key[:4]}**********{key[-4:]}",
            "display_name": "Demo",
            "email": "",
            "quota": 500_000,
            "used_quota": 0,
            "request_count": 0,
            "role": 1,
            "telegram_id": "",
            "username": "demo",
        },
        "message": "",
        "success": True,
    }
