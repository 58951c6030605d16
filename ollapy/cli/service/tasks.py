"""Tasks: a scheduled task of the user's on Windows."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from .keeper import NAME, Command

_NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
_SETTINGS = {
    "MultipleInstancesPolicy": "IgnoreNew",
    "DisallowStartIfOnBatteries": "false",
    "StopIfGoingOnBatteries": "false",
    "ExecutionTimeLimit": "PT0S",  # none
    "Priority": "5",  # tasks are slowed down otherwise
}


class Tasks:
    """The task scheduler."""

    program = "the task scheduler"
    told = "It starts when you log in. What it reads of settings is in the file of `ollapy config path`."
    probe: Command = ("schtasks", "/Query", "/FO", "LIST", "/TN", "\\")
    stops: Sequence[Command] = (
        ("schtasks", "/End", "/TN", NAME),
        ("schtasks", "/Delete", "/TN", NAME, "/F"),
    )
    status: Command = ("schtasks", "/Query", "/V", "/FO", "LIST", "/TN", NAME)

    @property
    def file(self) -> Path:
        """What the task is made of."""
        import platformdirs

        return platformdirs.user_config_path(NAME) / "task.xml"

    @property
    def starts(self) -> Sequence[Command]:
        """The task is made, and run for the first time."""
        made = ("schtasks", "/Create", "/TN", NAME, "/XML", str(self.file), "/F")
        return (made, ("schtasks", "/Run", "/TN", NAME))

    def content(self, command: Command, env: Mapping[str, str]) -> bytes:
        """Started at log-in, and again a minute after a crash. A task has no variables of its own."""
        task = ET.Element("Task", version="1.2", xmlns=_NAMESPACE)
        ET.SubElement(ET.SubElement(task, "Triggers"), "LogonTrigger")
        settings = ET.SubElement(task, "Settings")
        for name, value in _SETTINGS.items():
            ET.SubElement(settings, name).text = value
        restart = ET.SubElement(settings, "RestartOnFailure")
        ET.SubElement(restart, "Interval").text = "PT1M"
        ET.SubElement(restart, "Count").text = "10"
        act = ET.SubElement(ET.SubElement(task, "Actions"), "Exec")
        ET.SubElement(act, "Command").text = command[0]
        ET.SubElement(act, "Arguments").text = subprocess.list2cmdline(command[1:])
        xml: bytes = ET.tostring(task, encoding="utf-16", xml_declaration=True)
        return xml

    def logs(self, *, follow: bool) -> None:
        """None are kept."""
