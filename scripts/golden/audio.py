"""Writes tests/golden/audio.safetensors: what torchaudio and librosa make of sounds.

All in float64: torchaudio with torch.set_default_dtype, librosa with filters in float64. The signals are golden.uniform of
"signal T", T samples; torchaudio/... and librosa/... have the features of one of 4000 samples at 8 kHz:
    LIBRARY/mel, log_mel, mfcc        window 256, hop 100, 24 bands, 13 coefficients
    LIBRARY/odd                       the mel spectrogram with a window of 255 samples and 20 bands at 11025 Hz
    torchaudio/resample FROM TO       of "signal 500"
    fft/N                             numpy's, real and imaginary parts, of "signal N"
"""
import numpy as np

import golden

RATE, SIZE, HOP, MELS, COEFFICIENTS = 8000, 256, 100, 24, 13
ODD = {"rate": 11025, "size": 255, "mels": 20}


def signal(size):
    return golden.uniform(f"signal {size}", (size,))


def of_torchaudio():
    import torch
    import torchaudio
    from torchaudio import transforms

    torch.set_default_dtype(torch.float64)
    x = torch.from_numpy(signal(4000))
    spectrogram = {"n_fft": SIZE, "hop_length": HOP, "n_mels": MELS}
    mel = transforms.MelSpectrogram(RATE, **spectrogram)(x)
    odd = transforms.MelSpectrogram(ODD["rate"], n_fft=ODD["size"], hop_length=HOP, n_mels=ODD["mels"])(x)
    results = {
        "torchaudio/mel": mel,
        "torchaudio/log_mel": transforms.AmplitudeToDB("power", 80)(mel),
        "torchaudio/mfcc": transforms.MFCC(RATE, COEFFICIENTS, melkwargs=spectrogram)(x),
        "torchaudio/odd": odd,
    }
    short = torch.from_numpy(signal(500))
    for rates in [(44100, 16000), (8000, 16000), (16000, 8000), (22050, 16000), (48000, 44100)]:
        name = "torchaudio/resample {} {}".format(*rates)
        results[name] = torchaudio.functional.resample(short, *rates)
    return {k: v.numpy() for k, v in results.items()}, {"torch": torch.__version__, "torchaudio": torchaudio.__version__}


def of_librosa():
    import librosa

    y = signal(4000)
    mel = librosa.feature.melspectrogram(y=y, sr=RATE, n_fft=SIZE, hop_length=HOP, n_mels=MELS, dtype=np.float64)
    odd = librosa.feature.melspectrogram(
        y=y, sr=ODD["rate"], n_fft=ODD["size"], hop_length=HOP, n_mels=ODD["mels"], dtype=np.float64)
    log_mel = librosa.power_to_db(mel)
    return {
        "librosa/mel": mel,
        "librosa/log_mel": log_mel,
        "librosa/mfcc": librosa.feature.mfcc(S=log_mel, n_mfcc=COEFFICIENTS),
        "librosa/odd": odd,
    }, {"librosa": librosa.__version__}


def of_numpy():
    results = {}
    for size in (1, 2, 7, 30, 64, 97, 400):
        transformed = np.fft.fft(signal(size))
        results[f"fft/{size}"] = np.stack([transformed.real, transformed.imag])
    return results, {"numpy": np.__version__}


tensors, versions = {}, {}
for part in of_torchaudio, of_librosa, of_numpy:
    made, version = part()
    tensors |= {k: np.ascontiguousarray(v, np.float64) for k, v in made.items()}
    versions |= version
golden.write("audio", tensors, made_by="scripts/golden/audio.py", **versions)
