"""A folder in which something happened is told, once, without anybody looking."""

import os
import shutil
import signal
import tempfile
import unittest

from monitor436.agent.tail.notices import MAX_FOLDERS, Notices


class NoticeTests(unittest.TestCase):
    def setUp(self) -> None:
        if not os.path.exists("/proc/sys/fs/dir-notify-enable"):
            self.skipTest("this kernel gives no notices")
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(signal.signal, signal.SIGIO, signal.getsignal(signal.SIGIO))
        self.log = os.path.join(self.folder, "app.log")
        self.write("old")
        self.kind = "ext4"
        self.notices = Notices(lambda folder: self.kind)
        self.addCleanup(self.notices.forget)

    def write(self, text: str) -> None:
        with open(self.log, "a") as file:
            file.write(text)

    def told(self) -> bool:
        """Whether a notice came; a signal to oneself is there when the call that caused it returns."""
        return self.notices.came()

    def test_each_kind_of_change_is_told(self) -> None:
        """What a log goes through: written, truncated, renamed, made anew, removed."""
        changes = (
            lambda: self.write("new"),
            lambda: os.truncate(self.log, 1),
            lambda: os.rename(self.log, self.log + ".1"),
            lambda: self.write("made anew"),
            lambda: os.unlink(self.log),
        )
        for number, change in enumerate(changes):
            self.assertTrue(self.notices.tells({self.folder}))
            self.assertFalse(self.told(), number)
            change()
            self.assertTrue(self.told(), number)

    def test_a_change_is_told_once(self) -> None:
        """A busy folder does not wake anybody who has not asked again."""
        self.notices.tells({self.folder})
        self.write("one")
        self.write("two")
        self.assertTrue(self.told())
        self.write("three")
        self.assertFalse(self.told())
        self.notices.tells({self.folder})
        self.write("four")
        self.assertTrue(self.told())

    def test_a_folder_that_took_the_place_of_another_is_watched(self) -> None:
        """As after an upgrade that replaces it."""
        self.notices.tells({self.folder})
        os.rename(self.folder, self.folder + ".old")
        self.addCleanup(shutil.rmtree, self.folder + ".old")
        os.mkdir(self.folder)
        self.assertTrue(self.notices.tells({self.folder}))
        self.notices.came()
        self.write("in the new one")
        self.assertTrue(self.told())

    def test_where_changes_may_come_without_a_notice_that_is_said(self) -> None:
        """Another machine writes, or there is no such folder: one of them spoils it for all."""
        gone = os.path.join(self.folder, "gone")
        self.assertFalse(self.notices.tells({self.folder, gone}))
        self.kind = "nfs4"
        other = os.path.join(self.folder, "other")
        os.mkdir(other)
        self.assertFalse(self.notices.tells({other}))

    def test_folders_are_bounded_and_let_go(self) -> None:
        """Each holds a descriptor: too many at once are not watched, others make room for new ones."""
        before = set(os.listdir("/proc/self/fd"))
        folders = [os.path.join(self.folder, str(number)) for number in range(MAX_FOLDERS + 1)]
        for folder in folders:
            os.mkdir(folder)
        self.assertFalse(self.notices.tells(set(folders)))
        self.assertTrue(self.notices.tells(set(folders[1:])))
        self.assertTrue(self.notices.tells(set(folders[:1])))
        self.assertEqual(len(set(os.listdir("/proc/self/fd")) - before), 1)
        self.notices.forget()
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)

    def test_of_nothing_there_is_no_notice(self) -> None:
        """Where it is not known what to watch, it is not watched."""
        self.assertFalse(self.notices.tells(set()))


if __name__ == "__main__":
    unittest.main()
