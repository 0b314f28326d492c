#!/usr/bin/env python3
"""Makes spoken words with espeak-ng: DIR/train, val and test/WORD/VOICE.wav.

    make_words.py DIR

10 words by 20 voices to train on, 3 to validate and 8 to test, all different, each with several accents, speeds and pitches
and with white noise 5 to 25 dB below the voice. Needs Debian's package espeak-ng and nothing else.
"""
import array
import pathlib
import random
import subprocess
import sys
import tempfile
import wave

WORDS = "yes no up down left right on off stop go".split()
ACCENTS = "en-us en-gb en-gb-scotland en-gb-x-rp".split()
VOICES = {  # espeak-ng's variants
    "train": "m1 m2 m3 m4 f1 f2 f3 f4 Alex Andy Annie Denis Diogo Gene Hugo Jacky Lee Mario steph linda".split(),
    "val": "m5 Marco anika".split(),
    "test": "m6 m7 f5 Michael Mike belinda travis victor".split(),
}


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
    for split, variants in VOICES.items():
        for voice in [f"{accent}+{variant}" for variant in variants for accent in ACCENTS]:
            for word in WORDS:
                chance = random.Random(f"{voice} {word}")
                samples, rate = spoken(word, voice, chance.randint(110, 190), chance.randint(30, 70))
                write(folder / split / word / f"{voice}.wav", noisy(samples, rate, chance), rate)
    print(folder, *(f"{split}: {len(list((folder / split).glob('*/*.wav')))} sounds" for split in VOICES))


main(pathlib.Path(sys.argv[1]))
