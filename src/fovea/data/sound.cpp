#include "fovea/data/sound.h"
#include "fovea/core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fovea/audio/resample.h"
#include "fovea/audio/wav.h"
#include "fovea/core/error.h"
#include "fovea/data/class_folders.h"
#include "fovea/data/modality_files.h"
#include "fovea/draw/curve.h"
#include "fovea/draw/heat.h"
#include "fovea/images/resize.h"

namespace fovea::data {
namespace {

using Features = SoundOptions::Features;

const std::vector<std::string> feature_names{"wave", "log-mel", "mfcc"};

const Choice& sound_choice() {
  const auto integer = [](std::string name, int64_t value, double minimum, double maximum,
                          std::string help) {
    return Argument{.name = std::move(name),
                    .type = ArgumentType::integer,
                    .default_value = value,
                    .minimum = minimum,
                    .maximum = maximum,
                    .help = std::move(help)};
  };
  static const Choice choice{
      .name = "sound",
      .arguments = {integer("rate", 16000, 1000, 384000, "samples per second"),
                    {.name = "seconds",
                     .default_value = 1.0,
                     .maximum = 600,
                     .open_minimum = true,
                     .help = "length of every input"},
                    {.name = "features",
                     .type = ArgumentType::word,
                     .default_value = "log-mel",
                     .words = feature_names,
                     .help = "what the net sees: the wave, a mel spectrogram, or its cepstrum"},
                    {.name = "convention",
                     .type = ArgumentType::word,
                     .default_value = "torchaudio",
                     .words = {"torchaudio", "librosa"},
                     .help = "whose mel spectrograms"},
                    integer("n_fft", 400, 2, 65536, "samples of a window"),
                    integer("hop", 160, 1, 65536, "samples from one frame to the next"),
                    integer("mels", 64, 1, 4096, "bands of a mel spectrogram"),
                    integer("coefficients", 40, 1, 4096, "of mfcc; at most as many as mels"),
                    integer("channels", 1, 1, 256,
                            "1: the mean of all; else what every file must have")},
      .help = "WAV files"};
  return choice;
}

SoundOptions options_of(const Arguments& a) {
  const auto name = std::ranges::find(feature_names, a.word("features"));
  const bool librosa = a.word("convention") == "librosa";
  return {.mel = {.rate = a.integer("rate"),
                  .n_fft = a.integer("n_fft"),
                  .hop = a.integer("hop"),
                  .mels = a.integer("mels"),
                  .convention = librosa ? MelConvention::librosa : MelConvention::torchaudio},
          .seconds = a.number("seconds"),
          .features = static_cast<Features>(name - feature_names.begin()),
          .coefficients = a.integer("coefficients"),
          .channels = a.integer("channels")};
}

std::shared_ptr<const Modality> sounds(const Arguments& arguments) {
  return std::make_shared<SoundModality>(options_of(arguments));
}

/// Height by width with the first row at the bottom.
Array upside_down(const Array& map) {
  Array result(DType::f32, map.shape());
  const int64_t height = map.dim(0);
  const size_t row = map.bytes() / static_cast<size_t>(height);
  for (int64_t y = 0; y < height; ++y) {
    std::memcpy(result.raw() + static_cast<size_t>(height - 1 - y) * row,
                map.raw() + static_cast<size_t>(y) * row, row);
  }
  return result;
}

/// Numbers [bands, frames] as a picture that is large enough to be seen.
Image heat_picture(const Array& values, const Array* map) {
  constexpr int64_t readable = 192, largest = 2048;  // pixels of height and width
  const Array shown = upside_down(values);
  const draw::Colormap& colors = draw::colormap(map != nullptr ? "gray" : "viridis");
  const Image small = draw::heat_image(shown, draw::min_max(shown.data<float>()), colors);
  const int64_t scale = std::clamp<int64_t>(
      std::min(readable / std::max(small.height, 1), largest / std::max(small.width, 1)), 1, 16);
  const Image picture = resize(small, static_cast<int>(small.height * scale),
                               static_cast<int>(small.width * scale), Filter::nearest);
  if (map == nullptr) return picture;
  return draw::overlay(picture, upside_down(*map), {0, 1});
}

}  // namespace

SoundModality::SoundModality(const SoundOptions& options)
    : options_(options),
      mel_(options.mel),
      samples_(std::llround(options.seconds * static_cast<double>(options.mel.rate))) {
  const auto fail = [](const std::string& what) {
    return Error(ErrorKind::usage, "sound: " + what);
  };
  const bool spectral = options_.features != Features::wave;
  if (samples_ < 1)
    throw fail(
        fmt::format("{} seconds at {} Hz are no sample", options_.seconds, options_.mel.rate));
  if (spectral && samples_ <= options_.mel.n_fft / 2) {
    throw fail(
        fmt::format("{} samples are too few for windows of {}", samples_, options_.mel.n_fft))
        .with("try", "more seconds, or a smaller n_fft");
  }
  if (options_.features == Features::mfcc && options_.coefficients > options_.mel.mels) {
    throw fail(fmt::format("{} coefficients of {} mels", options_.coefficients, options_.mel.mels))
        .with("try", fmt::format("coefficients={}", options_.mel.mels));
  }
  const Shape one = !spectral ? Shape{samples_}
                              : Shape{options_.features == Features::mfcc ? options_.coefficients
                                                                          : options_.mel.mels,
                                      mel_.frames(samples_)};
  input_ = {DType::f32, Shape{options_.channels}.concat(one)};
}

std::string SoundModality::text() const {
  const MelOptions& mel = options_.mel;
  return to_text(
      sound_choice(),
      {{"rate", mel.rate},
       {"seconds", options_.seconds},
       {"features", feature_names[static_cast<size_t>(options_.features)]},
       {"convention", std::string(enum_names(mel.convention)[static_cast<size_t>(mel.convention)])},
       {"n_fft", mel.n_fft},
       {"hop", mel.hop},
       {"mels", mel.mels},
       {"coefficients", options_.coefficients},
       {"channels", options_.channels}});
}

Array SoundModality::features(std::span<const float> signal) const {
  switch (options_.features) {
    case Features::log_mel:
      return mel_.log_mel(signal);
    case Features::mfcc:
      return mel_.mfcc(signal, options_.coefficients);
    case Features::wave:
      break;
  }
  Array wave(DType::f32, {std::ssize(signal)});
  std::ranges::copy(signal, wave.data<float>().begin());
  return wave;
}

Array SoundModality::read(const std::filesystem::path& file) const {
  return read_from(file, [](int64_t free) { return free / 2; });
}

Array SoundModality::read_stretch(const std::filesystem::path& file, double place) const {
  return read_from(file,
                   [&](int64_t free) { return std::llround(place * static_cast<double>(free)); });
}

Array SoundModality::read_from(const std::filesystem::path& file,
                               const std::function<int64_t(int64_t free)>& first) const {
  const Wav wav(file);
  if (options_.channels > 1 && wav.channels() != options_.channels) {
    throw Error(ErrorKind::data,
                fmt::format("{}: has {}", file.string(), counted(wav.channels(), "channel")))
        .with("expected", std::to_string(options_.channels))
        .with("try", "channels=1, the mean of all");
  }
  const int64_t rate = options_.mel.rate;
  const int64_t count = std::min(wav.frames(), (samples_ * wav.rate() + rate - 1) / rate);
  Array stored = wav.samples(first(wav.frames() - count), count);
  if (options_.channels == 1) stored = mono(stored);
  Array result(DType::f32, input_.shape);
  const size_t bytes = result.bytes() / static_cast<size_t>(options_.channels);
  for (int64_t c = 0; c < options_.channels; ++c) {
    const std::vector<float> resampled = resample(
        stored.data<float>().subspan(static_cast<size_t>(c * count), static_cast<size_t>(count)),
        wav.rate(), rate);
    std::vector<float> signal(static_cast<size_t>(samples_), 0.0F);
    const int64_t kept = std::min(samples_, std::ssize(resampled));
    std::copy_n(resampled.begin(), kept, signal.begin() + (samples_ - kept) / 2);
    const Array made = features(signal);
    std::memcpy(result.raw() + static_cast<size_t>(c) * bytes, made.raw(), bytes);
  }
  return result;
}

Image SoundModality::picture(const Array& input, const Array* map) const {
  if (options_.features == Features::wave) return draw::curve_image(input, map);
  const Array first(DType::f32, input.shape().slice(1), const_cast<std::byte*>(input.raw()),
                    nullptr);  // of several channels
  return heat_picture(first, map);
}

ModalityEntry sound_entry() { return {.choice = sound_choice(), .make = sounds}; }

std::vector<Argument> sound_options() { return sound_choice().arguments; }

DataSets open_sound(const std::filesystem::path& folder, const Arguments& options) {
  const std::shared_ptr<const Modality> modality = sounds(options);
  return open_class_folders(
      folder, {.data_set = "sound",
               .file = "SOUND.wav",
               .plural = "sounds",
               .suffixes = ".wav or .wave",
               .takes = [modality](const auto& name) { return modality->takes(name); },
               .make = [modality](FileList files,
                                  const Targets& targets) -> std::shared_ptr<const Dataset> {
                 return std::make_shared<ModalityFiles>(modality, std::move(files), targets);
               }});
}

}  // namespace fovea::data
