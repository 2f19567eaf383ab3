"""Writes the record sets of domains as they become known, and says what is worth knowing beside them (cli)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exo_auth.cli.talk import note, put
from exo_auth.errors import ExoAuthError
from exo_auth.plan.outcome import worst_exit_code
from exo_auth.render.export_writer import ExportWriter, ZoneFiles

if TYPE_CHECKING:
    from exo_auth.cli.options import Common
    from exo_auth.domain_name import DomainName
    from exo_auth.plan.record_set import RecordChange
    from exo_auth.run.record_export import DomainRecords

EXIT_REFUSED = 3


class Exporter:
    """Data to stdout, or as files to `folder`; talk to stderr. What is true of each parked domain is told once."""

    def __init__(
        self,
        common: Common,
        form: str,
        output: str,
        *,
        folder: Path | None,
        only_changes: bool,
        is_parked: bool,
    ) -> None:
        self._common = common
        self._form = form
        self._output = output
        self._only_changes = only_changes
        self._is_parked = is_parked
        self._folder = folder
        self._writer = ExportWriter(form, output)
        self._files = ZoneFiles(form)
        self._codes = {0}
        self._told: set[str] = set()

    def begin(self) -> None:
        """Write what stands before the first domain."""
        self._put(self._writer.begin())

    def hear(self, name: DomainName, one: DomainRecords | ExoAuthError) -> None:
        """Write one domain; of one that could not be looked at say why."""
        if isinstance(one, ExoAuthError):
            self._codes.add(one.exit_code)
            self._writer.failed(name, one.message)
            self._files.failed(name)
            note(self._common, "; ".join(filter(None, (f"{name.unicode}: {one.message}", one.hint))))
            return
        sets = [change.as_set for change in one.changes if self._is_written(change)]
        if self._folder is not None:
            self._files.domain(one.zone, sets, one.notes, one.host)
        if self._folder is None or self._output == "json":
            self._put(self._writer.domain(one.domain, one.zone, sets, one.notes, one.host))
        if self._output != "json":
            self._tell(one)

    def end(self) -> int:
        """Write what stands behind the last domain, and the files; gives the exit code of it all."""
        self._put(self._writer.end())
        if self._folder is not None:
            self._write_files(self._folder)
        return worst_exit_code(self._codes)

    def _write_files(self, folder: Path) -> None:
        from exo_auth.run.file_set import write_files

        for zone in self._files.held_back():
            note(
                self._common,
                f"{zone.unicode}: its file is left as it is, because a domain of it could not be looked at",
            )
        for name, is_changed in write_files(folder, self._files.files()).items():
            if self._output != "json":
                put(f"{folder / name}  {'written' if is_changed else 'as it was'}")

    def _is_written(self, change: RecordChange) -> bool:
        why = refusal(change)
        if why and change.is_needed:
            self._codes.add(EXIT_REFUSED)
            note(self._common, f"refused: {change.owner.unicode} {change.type}: {why}")
        return not why and (change.is_needed or not self._only_changes)

    def _tell(self, one: DomainRecords) -> None:
        for text in one.notes if self._form != "text" else ():
            told = f"note: {text}" if self._is_parked else f"note: {one.domain.unicode}: {text}"
            if told not in self._told:
                note(self._common, told)
            self._told.add(told)
        if one.host is not None and self._form == "table":
            note(self._common, f"note: {one.zone.unicode} is at {one.host.name}: {one.host.hint}")

    @staticmethod
    def _put(text: str) -> None:
        if text:
            put(text)


def refusal(change: RecordChange) -> str:
    """Say why a set must not be written as text, "" where it may."""
    if change.is_readable:
        return change.refusal
    return "it holds a value with octets outside ASCII, which text would destroy: use dns apply, or change it by hand"
