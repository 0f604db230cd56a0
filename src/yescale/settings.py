"""Settings: frozen values with defaults; the only reader of the environment.

Every field can be set as `YESCALE_<SECTION>_<FIELD>` (the section `main` has no name of its own: `YESCALE_PORT`), or in
`<home>/settings.yaml`; the command line wins over the environment, the environment over the file. The comment behind a
field is its documentation.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from yescale.domain.addresses import read_network
from yescale.tuning import (
    ControlSettings,
    Count,
    JournalSettings,
    MarketSettings,
    MemorySettings,
    MoneySettings,
    RelaySettings,
    RoutingSettings,
    ServerSettings,
    StatisticsSettings,
)

Port = Annotated[int, Meta(ge=0, le=65_535)]


class SetupError(Exception):
    """What keeps yescale from doing as told, in one line for the operator. The command line ends with code 2."""


class Settings(Struct, frozen=True, kw_only=True):
    """One installation."""

    home: Path  # everything that this installation keeps on disk
    host: str = "127.0.0.1"  # the address that clients reach
    port: Port = 3000  # 0 = any free one
    workers: Count = 0  # 0 = one per core
    database: str = ""  # a URL of PostgreSQL or SQLite; "" = SQLite in the home
    sandbox: bool = False  # serve the fake providers as channels, with a demo account
    sandbox_port: Port = 0  # 0 = any free one
    master_secret: str = ""  # "" = the home's own; needed in a cluster
    cert_file: str = ""  # TLS towards clients: the certificate chain
    key_file: str = ""  # and its private key
    upstream_ca_file: str = ""  # certificates (PEM) that upstreams may prove themselves by, besides the system's
    journal: JournalSettings = JournalSettings()
    money: MoneySettings = MoneySettings()
    relay: RelaySettings = RelaySettings()
    routing: RoutingSettings = RoutingSettings()
    server: ServerSettings = ServerSettings()
    control: ControlSettings = ControlSettings()
    memory: MemorySettings = MemorySettings()
    market: MarketSettings = MarketSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    log_level: Literal["debug", "info", "warning", "error"] = "info"  # what is written to stderr

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the database, with the driver that yescale uses."""
        if not self.database:
            return f"sqlite+aiosqlite:///{self.home / 'yescale.db'}"
        scheme, separator, rest = self.database.partition("://")
        return DRIVERS.get(scheme, scheme) + separator + rest

    @property
    def journals(self) -> Path:
        """The folder of the workers' journals."""
        return self.home / "journals"

    @property
    def run(self) -> Path:
        """The folder (mode 0700) of the two sockets."""
        return self.home / "run"

    @property
    def public_socket(self) -> Path:
        """HTTP: what the port's clients may reach of control."""
        return self.run / "public.sock"

    @property
    def internal_socket(self) -> Path:
        """The link: workers and `yescale admin`, never HTTP."""
        return self.run / "internal.sock"


class Setting(Struct, frozen=True, kw_only=True):
    """One field of Settings: where it stands and what it takes."""

    path: tuple[str, ...]  # ("server", "limits", "head_s")
    kind: Any
    default: Any
    section: type[Struct]

    @property
    def key(self) -> str:
        """Its name in settings.yaml, sections joined by dots."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + "_".join(self.path).upper()


PREFIX: Final = "YESCALE_"
DEFAULT_HOME: Final = "~/.yescale"
DRIVERS: Final[Mapping[str, str]] = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
}
ALIASES: Final[Mapping[str, str]] = {"YESCALE_DATABASE_URL": "YESCALE_DATABASE"}
# Variables of programs that call a yescale server; a shell that has them may well start one.
OF_CLIENTS: Final = frozenset({"YESCALE_API_KEY", "YESCALE_ACCESS_KEY", "YESCALE_BASE_URL"})
HIDDEN: Final = frozenset({"database", "master_secret"})  # their values are in no message
COMMENT: Final = re.compile(r"^    (\w+): [^#\n]+  # (.*)$", re.MULTILINE)


def every_setting(section: type[Struct] = Settings, under: tuple[str, ...] = ()) -> Iterator[Setting]:
    """All settings, in the order of the source, sections flattened."""
    for field in msgspec.structs.fields(section):
        path = (*under, field.name)
        if (inner := _section(field.type)) is not None:
            yield from every_setting(inner, path)
        else:
            default = None if field.default is msgspec.NODEFAULT else field.default
            yield Setting(path=path, kind=field.type, default=default, section=section)


def documented() -> Iterator[tuple[Setting, str]]:
    """All settings with what they mean: the comments of their fields, read from the source."""
    comments: dict[type[Struct], dict[str, str]] = {}
    for setting in every_setting():
        if setting.section not in comments:
            comments[setting.section] = dict(COMMENT.findall(inspect.getsource(setting.section)))
        yield setting, comments[setting.section].get(setting.path[-1], "")


def load(environ: Mapping[str, str], given: Mapping[str, Any]) -> Settings:
    """Settings of one start: defaults, then the file, then the environment, then what the command line gave.

    `given` has dotted keys ("server.files"); None stands for "not given". Raises SetupError.
    """
    settings = {setting.key: setting for setting in every_setting()}
    from_environ = _from_variables(environ, settings)
    from_line = {key: value for key, value in given.items() if value is not None}
    home = Path(from_line.pop("home", None) or from_environ.pop("home", DEFAULT_HOME)).expanduser().absolute()
    values = _from_file(home / "settings.yaml", settings) | from_environ
    for key, value in from_line.items():
        values[key] = _decode(value, settings[key], f"--{key.replace('_', '-')}")
    return _checked(_build(Settings, values | {"home": home}))


def to_environment(settings: Settings) -> dict[str, str]:
    """The variables that make a child process see exactly these settings, whatever the file says by then."""
    return {setting.variable: _text(_value_at(settings, setting.path)) for setting in every_setting()}


def from_environment(environ: Mapping[str, str]) -> Settings:
    """The settings that `to_environment` wrote down; the file is not read again."""
    settings = {setting.key: setting for setting in every_setting()}
    values = _from_variables(environ, settings)
    return _build(Settings, values | {"home": Path(values.get("home", DEFAULT_HOME)).expanduser().absolute()})


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment less every variable of ours: what a child inherits besides `to_environment`."""
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX)}


def _from_variables(environ: Mapping[str, str], settings: Mapping[str, Setting]) -> dict[str, Any]:
    known = {setting.variable: setting for setting in settings.values()}
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name in OF_CLIENTS:
            continue
        setting = known.get(ALIASES.get(name, name))
        if setting is None:
            raise SetupError(f"the environment variable {name} is no setting of yescale{_closest(name, known)}")
        if text:  # an empty variable says nothing
            values[setting.key] = _decode(text, setting, name)
    return values


def _from_file(path: Path, settings: Mapping[str, Setting]) -> dict[str, Any]:
    try:
        document = msgspec.yaml.decode(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SetupError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The parser's own words show the line, which may hold a secret.
        place = re.search(r"line \d+", str(error))
        raise SetupError(f"{path} is no valid YAML{f' ({place[0]})' if place else ''}") from error
    return {
        key: _decode(value, settings[key], f"{path}: {key}")
        for key, value in _leaves(document or {}, (), settings, path)
    }


def _leaves(
    node: Any, under: tuple[str, ...], settings: Mapping[str, Setting], path: Path
) -> Iterator[tuple[str, Any]]:
    if not isinstance(node, dict):
        raise SetupError(f"{path}: {'.'.join(under) or 'the document'} must be a mapping of settings")
    sections = {setting.path[: len(under) + 1] for setting in settings.values()}
    for name, value in cast("dict[Any, Any]", node).items():
        here = (*under, str(name))
        key = ".".join(here)
        if key == "home":
            raise SetupError(f"{path}: the home cannot be set in the file that lies in it; use --home or YESCALE_HOME")
        if key in settings:
            yield key, value
        elif here in sections:
            yield from _leaves(value if value is not None else {}, here, settings, path)
        else:
            raise SetupError(f"{path}: {key} is no setting of yescale{_closest(key, settings)}")


def _decode(value: Any, setting: Setting, where: str) -> Any:
    if setting.kind is Path:
        return Path(str(value))
    try:
        decoded = msgspec.convert(value, setting.kind, strict=False)
    except msgspec.ValidationError as error:
        shown = "" if setting.key in HIDDEN else f" = {value!r}"
        raise SetupError(f"{where}{shown} cannot be used: {str(error)[0].lower()}{str(error)[1:]}") from error
    if isinstance(decoded, float) and not isfinite(decoded):
        raise SetupError(f"{where} = {value!r} cannot be used: expected a finite number")
    return decoded


def _build(section: type[Struct], values: Mapping[str, Any], under: str = "") -> Any:
    made: dict[str, Any] = {}
    for field in msgspec.structs.fields(section):
        key = f"{under}{field.name}"
        if (inner := _section(field.type)) is not None:
            made[field.name] = _build(inner, values, f"{key}.")
        elif key in values:
            made[field.name] = values[key]
    return section(**made)


def _checked(settings: Settings) -> Settings:
    """Settings that hold together, and a database URL of a kind that yescale speaks."""
    if bool(settings.cert_file) != bool(settings.key_file):
        raise SetupError("cert_file and key_file go together: set both, or none")
    for network in settings.server.proxies:
        if read_network(network) is None:
            raise SetupError(f"server.trusted_proxies: {network!r} is no address or network")
    try:
        scheme = urlsplit(settings.database_url).scheme
    except ValueError as error:
        raise SetupError(
            "the database URL cannot be read; it looks like postgresql://user:password@host/name"
        ) from error
    if scheme not in DRIVERS.values():
        known = "sqlite:////path/file.db or postgresql://user:password@host/name"
        begins = f"begins with {scheme!r}" if scheme else "names no database system"
        raise SetupError(f"the database URL {begins}; yescale speaks {known}")
    return settings


def _closest(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else "; see the settings in the documentation"


def _section(kind: Any) -> type[Struct] | None:
    return kind if inspect.isclass(kind) and issubclass(kind, Struct) else None


def _value_at(settings: Settings, path: tuple[str, ...]) -> Any:
    value: Any = settings
    for name in path:
        value = getattr(value, name)
    return value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
