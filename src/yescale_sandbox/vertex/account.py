"""The sandbox's one service account: the file that a client needs, and the key that its assertions are checked with."""

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from yescale_sandbox.jsontype import JsonObject

PROJECT = "sandbox-project"
EMAIL = f"sandbox@{PROJECT}.iam.gserviceaccount.com"
KEY_ID = "5a4db0c05a4db0c05a4db0c05a4db0c05a4db0c0"
GRANT_PATH = "/vertex/token"

# A TEST KEY, made for the sandbox alone and known to everyone: it opens nothing else. It is fixed so that what
# was configured with it still works when the sandbox is started anew.
TEST_KEY = """\
-----BEGIN PRIVATE KEY-----
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDrqr5DKOHnl4ac
ZcGfqtJlxZnFlK0XAZdNWIqpsQ3EZEC5CkyIdRWiP8i3dDVaWYllIWup/82CQr4u
He0jXTSnT2M945sScI1JgOfiBo0njWg3V2Zhc9CztKjSF3r0OS+oZSvTu+PT2m5I
8zKR0nr0j6YOX884ZosUc4fx7knRTWd8f7g7XJq6IWXmm68egrNAvWF/idSAqAJR
dfkXC1JuAL+/d0O6XNi3MWldVqnfAR3ISgmC6j8pHVrEwB3HUbi8gpLpp5fy7jPj
XyKL4TLFMYQgCiBNywsoTNByBW9g23XVeyqZbKXpT1dnNPi3SEf1cCEVE6vIafh2
xLlKEGDtAgMBAAECggEAB3D1/oFiaeSWAC2Fwl1x5/t02krSRCINYLuwiMcM9/wX
zHzBUDEgP7LTZLJWgyKSIDKz51a3xFeIRHg2vJ5Gc0tiRxOlgFAA/Ua4EhU7+XlL
Bq2FQraWBHw3G23yq8nIq5pimqL5zX690W+Q06icr/wY/Azog/xxT+VA/OTiorYg
z9XOshKOrqQv3z3KdmwI+EWCABM609+PkqpIZZY6uvBMIn0rmc3WYP2mwcb4d2lX
/7jRTMv5a0IhxPfI9tcO0sFEVYVFZX0uKHsGdd7NWTRnV5ceaxuBfpc2IXhuHuTp
7Vrg4CWC07NSTLQGI0WI/ZoN5nLtUmY1NKmTdM8VOQKBgQD7pyoBucdtfuLJM//7
ZX76PBffkdWPHj8tOQb+eJK4fXwMsPoVfxWsfsKw1X5Gt9bzzzgCnsFNu7ijsZ3U
RB0+bh9FO0P+/lb3TJGt9E7W0DaL+crXZ4PyFZ3rz7HpxYv+9i3D2qlIiy7pqeJv
dzN29Xzrv9LW1GqiWGD9BIfGhQKBgQDvvOMkFcmPriaK55Xn3XKRdgFMQ91eBVy4
vOGG71/Z2JbgMz+3ZHNFeoVg7xpWjJMy7Xh01LMG0BO5h8k69HPwhBqpfo/fDf3K
/AlrQKOPDf6LgfohLddWeIoTAle6qbypK6sFhKO15LSFtigaxwvlNzffnrJbtra8
guG7a31BSQKBgQCEngaEHExdhrWrBK1M5aLx6kNGfYsGvhDbGyd1aUMg2HhME+Pm
+i8I1VBycj/2sqEjoTtKHjGObnQSR+L93ttucAgoqt/dfFmGP6KyAoKdr+JfB8d+
lr2xEPVFNRH0OTfaqA9cHFqDsV2KpA2BYlcLxLkNX+yTbCO55EtQa1fGJQKBgGHP
HJSyVuPJ12vAhEZu8Lkr/eeRoJUldujgFtsoemC0nwmlnw9Bak4kaJpdss8w1zVl
8UkpJklXR1Tgc1ccONkd7IrOWgBVAwB3x5f8bT6GJR3hz50NyNc8ooiS4hwD+DbE
3CeKMAib4JLU+JPENbQ0zRTs+DO23eMXOuVuO1IRAoGBALlyEDdyzAwBZNY2uVzx
RN0iOmxibiEob6vn5ML55q5qpt504goyYBK7U39N94V0r6Hgb0U2KSTczox2nvBv
JpDN+BM3isCMAChrE6sc7y6tLiON1sbvkAxfu6LCecjbljpZBMoaz7YZA63SnO+p
Ub7ByJfMZm7sBhufVyKta9ie
-----END PRIVATE KEY-----
"""


def file(host: str, lifetime_s: int | None) -> JsonObject:
    """A service account's file, as Google's console gives it; tokens live as long as asked, or an hour.

    https://developers.google.com/identity/protocols/oauth2/service-account#creatinganaccount
    """
    query = "" if lifetime_s is None else f"?lifetime={lifetime_s}"
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": KEY_ID,
        "private_key": TEST_KEY,
        "client_email": EMAIL,
        "client_id": "100000000000000000001",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": f"http://{host}{GRANT_PATH}{query}",
        "universe_domain": "googleapis.com",
    }


def public_key() -> RSAPublicKey:
    key = load_pem_private_key(TEST_KEY.encode(), None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("the test key is an RSA key")
    return key.public_key()
