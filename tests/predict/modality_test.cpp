// A model of sounds: what its file keeps of how files become inputs.

#include "fovea/data/modality.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "audio/wav_bytes.h"
#include "error_text.h"
#include "fovea/data/registry.h"
#include "fovea/explain/explainer.h"
#include "fovea/predict/predictor.h"
#include "predict/trained.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

constexpr std::string_view spectrograms = "sound:8000:0.32:log-mel:torchaudio:400:160:16";

/// deeper_cnn for such spectrograms.
struct SoundNet {
  const models::Config config =
      models::configure("deeper_cnn", {.outputs = 2, .input = Shape{1, 16, 17}});
  std::unique_ptr<nn::Module> model = models::make("deeper_cnn", config);
  State state;
  SoundNet() { golden_fill::declare(state, *model, DType::f32); }
  ModelFile file() {
    return {.architecture = "deeper_cnn",
            .arguments = to_arguments(config),
            .preprocessing = {},
            .modality = std::string(spectrograms),
            .mean = {-40},
            .std = {20},
            .class_names = {"high", "low"},
            .training = {},
            .weights = weights_of(*model, state)};
  }
};

TEST(Modality, AModelOfSoundsNeedsOnlyItsFile) {
  TemporaryFolder folder;
  SoundNet net;
  save_model(folder / "m.safetensors", net.file());
  Predictor predictor(folder / "m.safetensors");
  ASSERT_NE(predictor.modality(), nullptr);
  EXPECT_EQ(predictor.modality()->text(), spectrograms);
  put(folder / "a.wav", tone(700, 0.2, 16000).text());
  const Array one = predictor.modality()->read(folder / "a.wav");
  const Array input = one.reshaped(Shape{1}.concat(one.shape()));
  Array normalized = input.clone();
  for (int64_t i = 0; i < input.numel(); ++i) normalized.set(i, (input.at(i) + 40) / 20);
  Inference inference(*net.model, net.state, {});
  const Array want = inference.output(normalized).clone(), got = predictor.output(input);
  for (int64_t i = 0; i < 2; ++i) EXPECT_NEAR(got.at(i), want.at(i), 1e-5 * std::abs(want.at(i)));
  explain::Explainer explainer(predictor);
  EXPECT_NEAR(explainer.normalized(input).at(3), normalized.at(3), 1e-6);
  EXPECT_EQ(predictor.predict(input).size(), 1u);

  predictor.save(folder / "again.safetensors");
  const ModelFile again = load_model(folder / "again.safetensors");
  EXPECT_EQ(again.modality, spectrograms);
  EXPECT_EQ(again.mean, (std::vector<double>{-40}));
  EXPECT_EQ(again.std, (std::vector<double>{20}));
}

TEST(Modality, MessagesCallInputsByTheirOwnNoun) {
  for (const auto& [text, one, many] : {std::array{"sound", "sound", "sounds"},
                                        {"series:1:20:false", "series", "series"},
                                        {"clip:4:1:32:1", "clip", "clips"},
                                        {"volume:8:1", "volume", "volumes"}}) {
    const auto modality = data::make_modality(text);
    EXPECT_EQ(modality->noun(), one);
    EXPECT_EQ(modality->noun(2), many);
  }
  SoundNet net;
  EXPECT_EQ(Predictor(net.file(), "m").noun(2), "sounds");
}

TEST(Modality, WhatDoesNotFitTheModelIsRefused) {
  TemporaryFolder folder;
  SoundNet net;
  Predictor predictor(net.file(), "m");
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)predictor.predict(Image::black(8, 8, 1)); }),
            "deeper_cnn takes sounds, not images\n"
            "  expected files that end in .wav, .wave");
  for (const char* name : {"high/a.wav", "high/b.wav", "low/a.wav", "low/b.wav"}) {
    std::filesystem::create_directories((folder / name).parent_path());
    put(folder / name, tone(700, 0.2).text());
  }
  const std::string data = "sound:" + (folder / "").string();
  EXPECT_EQ(error_text(ErrorKind::usage,
                       [&] { (void)predictor.prepared(data::open(data + ",mels=20").train); }),
            "the data's files become other inputs than the model's\n"
            "  data    sound:16000:1:log-mel:torchaudio:400:160:20\n"
            "  model   sound:8000:0.32:log-mel:torchaudio:400:160:16\n"
            "  try     the options after --data that the model was trained with");
  EXPECT_NO_THROW(
      (void)predictor.prepared(data::open(data + ",rate=8000,seconds=0.32,mels=16").train));

  ModelFile other = net.file();
  other.modality = "sound:8000";
  EXPECT_EQ(error_text(ErrorKind::model, [&] { Predictor(std::move(other), "m"); }),
            "its modality makes other inputs than its net takes\n"
            "  modality sound:8000: f32[1, 64, 51]\n"
            "  net      [1, 16, 17]\n"
            "  file     m");
  ModelFile unknown = net.file();
  unknown.modality = "smell";
  expect_error(ErrorKind::model, "unknown modality \"smell\"",
               [&] { Predictor(std::move(unknown), "m"); });
  ModelFile flat = net.file();
  flat.std = {0};
  expect_error(ErrorKind::usage, "save_model: the normalisation has a mean",
               [&] { save_model(folder / "m.safetensors", flat); });
}

}  // namespace
}  // namespace fovea
