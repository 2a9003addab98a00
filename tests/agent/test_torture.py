"""Stories of logs that are rotated in every way while the agent is killed and its plan edited; torture tells them.

M436_TORTURE=600: stories for that many seconds, from M436_SEED=N on; what they did is printed.
"""

import os
import shutil
import tempfile
import time
import unittest

from tests.agent.checked import unhurried
from tests.agent.torture import Lost, Muddled, PlannedStory, Story

SECONDS = float(os.environ.get("M436_TORTURE", "0"))
SEED = int(os.environ.get("M436_SEED", "1000"))
STEPS = 400
RATE = 5000  # lines a second, at least, with all that befalls them
MUDDLED = 0.02  # of the long form's stories: copies of copies of empty files, moved on while nobody looked


class TortureTests(unittest.TestCase):
    """Each story: some thousand lines, dozens of rotations and kills. Odd ones follow a pattern, not a path."""

    def setUp(self) -> None:
        unhurried(self)
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def tell(self, kind: "type[Story]", seed: int) -> int:
        """One story, and how many lines were written in it. Raises Lost or Muddled."""
        folder = os.path.join(self.folder, "{} {}".format(kind.__name__, seed))
        story = kind(seed, folder, pattern=seed % 2 == 1)
        try:
            story.play(STEPS)
        finally:
            shutil.rmtree(folder)
        return story.writer.count

    def test_every_line_is_read_once_and_every_gap_is_told(self) -> None:
        """In order, across rotations of all kinds and kills."""
        for seed in range(24):
            with self.subTest(seed=seed):
                self.tell(Story, seed)

    def test_every_line_is_told_once_while_the_plan_is_edited(self) -> None:
        """Across the same, through all that makes events of lines."""
        for seed in range(16):
            with self.subTest(seed=seed):
                self.tell(PlannedStory, seed)


if SECONDS:

    class LongTortureTests(TortureTests):
        """As long as asked, with other dice."""

        def test_whatever_the_dice_say_no_line_is_lost_or_doubled(self) -> None:
            """For as long as asked."""
            end, seed, lines, muddled, busy = time.monotonic() + SECONDS, SEED, 0, [], 0.0
            while time.monotonic() < end:
                for kind in (Story, PlannedStory):
                    began = time.process_time()
                    try:
                        lines += self.tell(kind, seed)
                    except Muddled as problem:
                        muddled.append("{}: {}".format(seed, str(problem)[:70]))
                    except Lost as problem:
                        self.fail("{} {}: {}".format(kind.__name__, seed, problem))
                    busy += time.process_time() - began
                seed += 1
            told = "{} stories, {} lines ({:.0f}/s), none lost or doubled; order or gaps wrong in {}: {}"
            print(told.format(2 * (seed - SEED), lines, lines / busy, len(muddled), "; ".join(muddled)))
            self.assertGreater(lines / busy, RATE)
            self.assertLessEqual(len(muddled), MUDDLED * 2 * (seed - SEED))


if __name__ == "__main__":
    unittest.main()
