"""The shapes of CloudStack's answers: errors, dates, lists and pages, and its checks of parameters."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

PARAMETER, INTERNAL, UNAUTHORIZED = 431, 530, 401
INVALID_VALUE, SERVER_API = 4350, 9999
UNVERIFIED = "unable to verify user credentials and/or request signature"


class ApiError(Exception):
    """An answer that is an error. `status` is both the HTTP status and `errorcode`."""

    def __init__(self, status: int, text: str, cs_code: int | None = SERVER_API) -> None:
        super().__init__(text)
        self.status, self.text, self.cs_code = status, text, cs_code

    def body(self, key: str) -> dict[str, Any]:
        inner: dict[str, Any] = {"uuidList": [], "errorcode": self.status}
        if self.cs_code is not None:
            inner["cserrorcode"] = self.cs_code
        return {key: {**inner, "errortext": self.text}}


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. `kind`: string, uuid, uuids, boolean, integer or list; `length`: of the longest value."""

    name: str
    kind: str = "string"
    required: bool = False
    length: int = 255


@dataclass(frozen=True, slots=True)
class Arguments:
    """A request's parameters, names in lower case, already checked."""

    values: Mapping[str, str]

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    def flag(self, name: str) -> bool:
        return self.get(name).lower() == "true"

    def many(self, name: str) -> frozenset[str]:
        return frozenset(filter(None, self.get(name).split(",")))


def date(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def without_nones(row: Mapping[str, Any]) -> dict[str, Any]:
    """Empty fields are left out, as Gson does."""
    return {name: value for name, value in row.items() if value is not None}


def checked(command: str, params: Iterable[Param], given: Mapping[str, str], known: Callable[[str], bool]) -> Arguments:
    """Refuse what CloudStack's ParamProcessWorker refuses; unknown names pass, as there."""
    begin = f"Unable to execute API command {command.lower()} due to"
    values = {name.lower(): value for name, value in given.items()}
    for param in params:
        value = values.get(param.name, "")
        if not value:
            if param.required:
                raise ApiError(PARAMETER, f"{begin} missing parameter {param.name}")
            continue
        if len(value) > param.length and param.kind not in {"list", "uuids"}:
            raise ApiError(PARAMETER, f"Value greater than max allowed length {param.length} for param: {param.name}")
        if param.kind == "integer" and not _is_integer(value):
            raise ApiError(PARAMETER, f"{begin} invalid value {value} for parameter {param.name}")
        ids = [value] if param.kind == "uuid" else value.split(",") if param.kind == "uuids" else []
        unknown = next((one for one in ids if one != "-1" and not known(one)), None)
        if unknown is not None:
            raise ApiError(
                PARAMETER,
                f"{begin} invalid value. Invalid parameter {param.name} value={unknown} due to incorrect long value "
                "format, or entity does not exist or due to incorrect parameter annotation for the field in api cmd "
                "class.",
            )
    return Arguments(values)


def page(arguments: Arguments, key: str, rows: list[Any], render: Callable[[Any], dict[str, Any]], limit: int) -> Any:
    """`page` and `pagesize` together or not at all; `count` is the whole number; an empty list has no key at all."""
    number, size = arguments.get("page"), arguments.get("pagesize")
    if size and not number and size != "-1":
        raise ApiError(PARAMETER, '"page" parameter is required when "pagesize" is specified')
    if number and not size:
        raise ApiError(PARAMETER, '"pagesize" parameter is required when "page" is specified')
    if size and int(size) > limit:
        raise ApiError(PARAMETER, f"Page size can't exceed max allowed page size value: {limit}", INVALID_VALUE)
    if size == "-1" and number:
        raise ApiError(PARAMETER, "Can't specify page parameter when pagesize is -1 (Unlimited)", INVALID_VALUE)
    length = int(size) if size else limit
    first = length * (max(int(number), 1) - 1) if number else 0
    chosen = rows if size == "-1" else rows[first : first + length]
    if not rows:
        return {}
    return {"count": len(rows), key: [render(row) for row in chosen]} if chosen else {"count": len(rows)}


def _is_integer(value: str) -> bool:
    return value.removeprefix("-").isdecimal()
