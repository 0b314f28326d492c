#include "fovea/train/run_files.h"

#include <gtest/gtest.h>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/train/trainer.h"
#include "temporary_folder.h"

namespace fovea::train {
namespace {

std::string contents(const std::filesystem::path& path) {
  return read_text(path, ErrorKind::data, size_t{1} << 30);
}

/// Makes a file impossible to replace: a folder has its name.
void block(const std::filesystem::path& path) { std::filesystem::create_directories(path / "x"); }

/// Blocks files from the end of the first epoch until that of another.
class Blocker : public Callback {
 public:
  Blocker(std::vector<std::string> names, int64_t until)
      : names_(std::move(names)), until_(until) {}

  std::vector<std::string> messages;

  void on_epoch(Trainer& trainer, EpochRecord& record, bool) override {
    for (const std::string& name : names_) {
      if (record.epoch == 1) block(trainer.folder() / name);
      if (record.epoch == until_) std::filesystem::remove_all(trainer.folder() / name);
    }
  }
  void on_message(const std::string& text) override { messages.push_back(text); }

 private:
  std::vector<std::string> names_;
  int64_t until_;
};

Settings quick() {
  Settings settings;
  settings.limit = 96;
  settings.batch = 32;
  settings.epochs = 3;
  settings.val = 0.3;
  return settings;
}

TEST(RunFiles, WhatCannotBeWrittenForAWhileEndsNoTraining) {
  // A disk that was full for an hour must not cost the night's training, nor change its result.
  const TemporaryFolder folder;
  train(quick(), folder / "undisturbed");
  Blocker blocker({"best.safetensors", "last.safetensors", "history.csv", "checkpoint.safetensors"},
                  3);
  train(quick(), folder / "blocked", {&blocker});
  for (const char* name : {"best.safetensors", "last.safetensors"})
    EXPECT_EQ(contents(folder / "blocked" / name), contents(folder / "undisturbed" / name)) << name;
  const auto says = [&](const std::string& part) {
    return std::ranges::any_of(blocker.messages, [&](const std::string& text) {
      return text.find(part) != std::string::npos;
    });
  };
  EXPECT_TRUE(says("cannot write"));
  EXPECT_TRUE(says(": training goes on, and this is tried again"));
}

TEST(RunFiles, WhatIsMissingInTheEndIsAnError) {
  const TemporaryFolder folder;
  Blocker blocker({"last.safetensors"}, 99);
  expect_error(ErrorKind::io, "last.safetensors",
               [&] { train(quick(), folder / "run", {&blocker}); });
  std::filesystem::remove_all(folder / "run/last.safetensors");
  EXPECT_FALSE(resume(folder / "run").stopped);  // the checkpoint has all
  EXPECT_TRUE(std::filesystem::is_regular_file(folder / "run/best.safetensors"));
}

}  // namespace
}  // namespace fovea::train
