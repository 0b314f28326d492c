#!/usr/bin/env python3
"""Makes spoken words with espeak-ng: DIR/train, val and test/WORD/VOICE-SPEED.wav.

    make_words.py DIR

10 words by 18 voices to train on, 2 to validate and 8 to test, all different, each at several speeds and pitches and with
white noise 5 to 25 dB below the voice. Needs Debian's package espeak-ng and nothing else.
"""
import array
import pathlib
import random
import subprocess
import sys
import tempfile
import wave

WORDS = "yes no up down left right on off stop go".split()
VOICES = {
    "train": [f"{accent}+{voice}" for accent in ("en-us", "en-gb") for voice in "m1 m2 m3 m4 m5 f1 f2 f3 f4".split()],
    "val": ["en-us+m6", "en-gb+f5"],
    "test": [f"{accent}+{voice}" for accent in ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp") for voice in ("m7", "m8")],
}
SPEEDS = {"train": [110, 135, 160, 190], "val": [120, 170], "test": [115, 145, 180]}


def spoken(word, voice, speed, pitch):
    """Samples from -1 to 1 and their rate."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", file.name, word], check=True)
        with wave.open(file.name) as sound:
            samples = array.array("h", sound.readframes(sound.getnframes()))
            return [s / 32768 for s in samples], sound.getframerate()


def noisy(samples, rate, chance):
    """With silence around the word, then noise: its level is relative to that of the word."""
    level = (sum(s * s for s in samples) / len(samples)) ** 0.5
    noise = level * 10 ** (-chance.uniform(5, 25) / 20)
    padded = [0.0] * int(chance.uniform(0.02, 0.15) * rate) + samples + [0.0] * int(chance.uniform(0.02, 0.15) * rate)
    return [s + chance.gauss(0, noise) for s in padded]


def write(path, samples, rate):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", ""))
        sound.writeframes(array.array("h", [max(-32768, min(32767, round(32768 * s))) for s in samples]).tobytes())


def main(folder):
    for split, voices in VOICES.items():
        for voice in voices:
            for speed in SPEEDS[split]:
                for word in WORDS:
                    chance = random.Random(f"{voice} {speed} {word}")
                    samples, rate = spoken(word, voice, speed, chance.randint(30, 70))
                    write(folder / split / word / f"{voice}-{speed}.wav", noisy(samples, rate, chance), rate)
    print(folder, *(f"{split}: {len(list((folder / split).glob('*/*.wav')))} sounds" for split in VOICES))


main(pathlib.Path(sys.argv[1]))
