# twistd -ny monitor.tac
from pathlib import Path

from twisted.application.service import Application

from monitor436.tap import DEFAULT, open_monitor

application = Application("monitor436")
open_monitor(str(Path(__file__).resolve().parent / DEFAULT)).setServiceParent(application)
