#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "fovea/core/files.h"
#include "fovea/core/random.h"
#include "fovea/train/trainer.h"
#include "temporary_folder.h"

namespace fovea::train {

inline std::string big_endian(std::initializer_list<uint32_t> numbers) {
  std::string bytes;
  for (uint32_t n : numbers) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(n >> shift);
  }
  return bytes;
}

/// MNIST's files with 8x8 images: noise, and a bright row that indicates the class.
inline void write_split(const std::filesystem::path& folder, const std::string& name,
                        uint32_t count, bool bad_label = false) {
  Random random(1, name);
  std::string images = big_endian({2051, count, 8, 8}), labels = big_endian({2049, count});
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t label = random.below(4);
    for (uint64_t p = 0; p < 64; ++p)
      images += static_cast<char>(random.below(120) + (p / 8 == 2 * label ? 100 : 0));
    labels += static_cast<char>(bad_label && i == 70 ? 10 : label);
  }
  put(folder / (name + "-images-idx3-ubyte"), images);
  put(folder / (name + "-labels-idx1-ubyte"), labels);
}

/// A callback built from functions; any may be empty.
struct Watch : Callback {
  std::function<void(Trainer&)> start, batch;
  std::function<void(EpochRecord&, bool)> epoch;
  std::function<void(const std::string&)> message;

  void on_start(Trainer& trainer) override {
    if (start) start(trainer);
  }
  void on_batch(Trainer& trainer) override {
    if (batch) batch(trainer);
  }
  void on_epoch(Trainer&, EpochRecord& record, bool best) override {
    if (epoch) epoch(record, best);
  }
  void on_message(const std::string& text) override {
    if (message) message(text);
  }
};

inline double accuracy(const Result& result) {
  return tasks::find(result.test, "accuracy").value_or(-1);
}

/// A data set and settings that train in a few hundredths of a second per epoch.
class Training : public testing::Test {
 protected:
  Training() {
    std::filesystem::create_directories(folder_ / "data");
    write_split(folder_ / "data", "train", 150);
    write_split(folder_ / "data", "t10k", 40);
    settings_.data = "mnist:" + (folder_ / "data").string();
    settings_.epochs = 3;
    settings_.batch = 16;  // of 135: the last has 7
    settings_.lr = 0.02;
    settings_.augment = "crop:1";
    settings_.threads = 2;
  }
  Result run(const std::string& out, const Settings& settings, std::stop_token stop = {}) {
    return train(settings, folder_ / out, {}, stop);
  }
  /// Trains until `batches` batches were seen.
  Result stopped(const std::string& out, const Settings& settings, int64_t batches) {
    std::stop_source stop;
    Watch watch;
    watch.batch = [&, seen = int64_t{0}](Trainer&) mutable {
      if (++seen == batches) stop.request_stop();
    };
    return train(settings, folder_ / out, {&watch}, stop.get_token());
  }
  std::string contents(const std::string& path) {
    return read_text(folder_ / path, ErrorKind::data);
  }
  /// How many files with weights there are in the folder of a run.
  int64_t saved(const std::string& run) {
    return std::ranges::count_if(std::filesystem::directory_iterator(folder_ / run),
                                 [](auto& e) { return e.path().extension() == ".safetensors"; });
  }
  bool same_weights(const std::string& a, const std::string& b) {
    return contents(a + "/last.safetensors") == contents(b + "/last.safetensors") &&
           contents(a + "/best.safetensors") == contents(b + "/best.safetensors");
  }

  TemporaryFolder folder_;
  Settings settings_;
};

}  // namespace fovea::train
