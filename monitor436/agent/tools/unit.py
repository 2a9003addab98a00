"""How the agent is started at boot: a unit of systemd, or a line for what else there is."""

FILE = "/usr/local/sbin/agent436.pyz"
USER = "monitor436-agent"
STATE = "/var/lib/monitor436-agent"
UNIT = "monitor436-agent.service"
_TEXT = """\
# The agent of a host, as `agent436.pyz install` writes it; docs/agent.md tells how.
[Unit]
Description=monitor436 agent
After=network.target

[Service]
{user}ExecStart={command}
{state}
# 2 is a wrong command line: starting again does not help
Restart=on-failure
RestartPreventExitStatus=2
RestartSec=10
# TERM to the agent alone: it ends its commands itself
KillMode=mixed
TimeoutStopSec=10
# what checks run gains no rights by being run (setuid programs neither)
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=read-only
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictRealtime=yes
LockPersonality=yes

[Install]
WantedBy=multi-user.target
"""
_USER = """\
User={}
# it may read every log, and is not root for anything else
AmbientCapabilities=CAP_DAC_READ_SEARCH
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
"""
_OWN_STATE = "StateDirectory=monitor436-agent\nStateDirectoryMode=0700"


def text(user: str, state: str, options: "list[str]") -> str:
    """The unit: `options` are those of the agent beside its state folder."""
    words = [FILE, "--state", state, *options]
    return _TEXT.format(
        user="" if user == "root" else _USER.format(user),
        command=" ".join(map(_quoted, words)),
        state=_OWN_STATE if state == STATE else "ReadWritePaths={}".format(_quoted(state)),
    )


def state_of(unit: str) -> str:
    """The state folder that a unit of ours names; the usual one, if it names none."""
    for line in unit.splitlines():
        words = line.split()
        if line.startswith("ExecStart=") and "--state" in words[:-1]:
            return words[words.index("--state") + 1].strip('"')
    return STATE


def other_ways(user: str, state: str, options: "list[str]", inittab: bool) -> str:
    """One line that starts the agent at boot where there is no systemd, and where it belongs."""
    command = " ".join(_shell(each) for each in [FILE, "--state", state, *options])
    if not inittab:
        return "in /etc/cron.d/monitor436-agent:\n@reboot {} {}".format(user, command)
    if user != "root":
        command = "/bin/su -s /bin/sh {} -c {}".format(user, _shell("exec " + command))
    return (
        "in /etc/inittab (sysvinit; for busybox without `m436:2345`, which becomes `::`):\nm436:2345:respawn:{}".format(
            command
        )
    )


def _quoted(word: str) -> str:
    """A word as systemd.service(5) reads it back."""
    word = word.replace("%", "%%").replace("$", "$$")
    if word and not set(word) & set(" \t\"'\\;"):
        return word
    return '"{}"'.format(word.replace("\\", "\\\\").replace('"', '\\"'))


def _shell(word: str) -> str:
    """A word as a shell reads it back."""
    plain = word and all(each.isalnum() or each in "-_./:=@%+," for each in word)
    return word if plain else "'{}'".format(word.replace("'", "'\\''"))
