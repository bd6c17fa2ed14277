"""Names for runs whose maker gave none: two words and a number, easy to say."""

from __future__ import annotations

import random

_ADJECTIVES = (
    "able amber ample apt arch azure bold brave breezy bright brisk calm candid clear clever coral crisp curious deft eager "
    "early fair fleet fond fresh gentle glad golden grand happy hardy honest humble jolly keen kind light lively loud lucid "
    "lucky mellow merry mild neat nimble noble open patient plucky polite proud quick quiet rare ready rosy royal rustic "
    "shy silent silver sleek smooth sober spry steady still stoic sunny swift tidy tranquil upbeat vivid warm wise witty "
    "young zesty"
).split()
_NOUNS = (
    "ant auk bat bear bee bird boar bug calf carp cat chick clam cod colt conch cow crab crane crow cub deer doe dog dolphin "
    "dove duck eel elk elm ewe fawn finch fish flea fly foal fowl fox frog gnat gnu goat goose grouse grub gull hare hawk "
    "hen heron hog horse hound jay kid kite koi lamb lark loon lynx mare mink mole moose moth mouse mule newt owl ox panda "
    "perch pig pike pug quail ram rat ray robin roo rook seal shad sheep shrew shrike skink slug snail snipe sow sponge "
    "squid stag stoat stork swan tern toad trout vole wasp whale wolf worm wren yak zebra"
).split()


def random_name() -> str:
    """A name such as `calm-heron-417`."""
    return f"{random.choice(_ADJECTIVES)}-{random.choice(_NOUNS)}-{random.randrange(1000)}"  # noqa: S311 - a name, no secret
