#include "fovea/train/settings.h"

#include <unistd.h>

#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/train/history.h"
#include "fovea/train/run_folder.h"
#include "temporary_folder.h"

namespace fovea::train {
namespace {

/// A non-default value for each setting.
Settings unusual() {
  Settings s;
  s.data = "cifar10:/a \"quoted\"\\path\twith\na line";
  s.task = "classify";
  s.tta = "flip";
  s.loss = "dice";
  s.class_weights = "balanced";
  s.sampling = "balanced";
  s.cache = "1G";
  s.tensorboard = "histograms";
  s.monitor = "loss";
  s.patience = 4;
  s.min_change = 0.01;
  s.save_every = "2";
  s.keep = 3;
  s.model = "lenet_cnn";
  s.choices = {{"aux", true},     {"dropout", 0.3},   {"drop_path", 0.0},      {"width", 0.75},
               {"stem", "cifar"}, {"norm", "frozen"}, {"backbone", "resnet34"}};
  for (const char* size : {"base_channels", "stem_stride", "skip_channels", "kernel_size", "depth",
                           "stacks", "pyramid_channels"})
    s.choices.set(size, int64_t{3});
  s.choices.set("masked", true);
  s.input = "3x64x48";
  s.weights = "a \"file\".safetensors";
  s.freeze = "backbone";
  s.unfreeze_after = 3;
  s.backbone_lr = 1e-3;
  s.group = "*.bias:lr=0.1; head:optimizer=adamw";
  s.limit = 2000;
  s.epochs = 3;
  s.batch = 7;
  s.drop_last = true;
  s.no_winograd = true;
  s.deterministic = true;
  s.tune = true;
  s.recompute = true;
  s.optimizer = "adamw";
  s.lr = 0.1 + 0.2;
  s.weight_decay = "0.05:weights";
  s.schedule = "step:30:0.2";
  s.warmup = 1.0 / 3;
  s.clip = 1e-7;
  s.clip_value = 0.5;
  s.accumulate = 4;
  s.ema = 0.999;
  s.average = "lookahead";
  s.label_smoothing = 0.1;
  s.augment = "crop:2";
  s.mix = "cutmix";
  s.val = 0;
  s.on_bad_image = "skip";
  s.precision = "bf16";
  s.tta = "flip";
  s.class_weights = "balanced";
  s.sampling = "balanced";
  s.cache = "1G";
  s.workers = 0;
  s.class_weights = "balanced";
  s.sampling = "balanced";
  s.cache = "1.5G";
  s.seed = 9007199254740991;
  s.threads = 2;
  return s;
}

TEST(Settings, ReadBackFromTomlToTheBit) {
  TemporaryFolder folder;
  const Settings defaults, other = unusual();
  put(folder / "config.toml", to_toml(other));
  const Settings read = from_toml(folder / "config.toml");
  for (const Setting& setting : settings_table()) {
    EXPECT_EQ(setting.get(read), setting.get(other)) << setting.name;
    EXPECT_NE(setting.get(other), setting.get(defaults)) << setting.name << " was not tested";
  }
  EXPECT_EQ(read.choices.values(), other.choices.values());
  EXPECT_EQ(read.lr, other.lr);
  EXPECT_EQ(read.warmup, other.warmup);
  put(folder / "config.toml", to_toml(defaults));  // settings that are not given stay so
  EXPECT_TRUE(from_toml(folder / "config.toml").choices.values().empty());
}

TEST(Settings, SettingsThatAFileDoesNotMentionKeepTheirDefaults) {
  TemporaryFolder folder;
  put(folder / "config.toml", "epochs = 2\nlr = 1\n");
  const Settings read = from_toml(folder / "config.toml");
  EXPECT_EQ(read.epochs, 2);
  EXPECT_EQ(read.lr, 1);
  EXPECT_EQ(read.batch, Settings{}.batch);
}

std::string set(std::string_view name, std::string_view text) {
  for (const Setting& setting : settings_table()) {
    if (setting.name != name) continue;
    Settings settings;
    return error_text(ErrorKind::usage, [&] { setting.set(settings, text); });
  }
  return "no such setting";
}

TEST(Settings, ErrorsSayWhatIsAccepted) {
  EXPECT_EQ(set("epochs", "0"), "--epochs must be an integer from 1 to 1000000, not \"0\"");
  EXPECT_EQ(set("epochs", "2.5"), "--epochs must be an integer from 1 to 1000000, not \"2.5\"");
  EXPECT_EQ(set("batch", "many"), "--batch must be an integer from 1 to 1000000, not \"many\"");
  EXPECT_EQ(set("lr", "-0.1"), "--lr must be a number from 0 to 1000000, not \"-0.1\"");
  EXPECT_EQ(set("lr", "nan"), "--lr must be a number from 0 to 1000000, not \"nan\"");
  EXPECT_EQ(set("val", "1"), "--val must be a number from 0 to 0.99, not \"1\"");
  EXPECT_EQ(set("seed", "1e99"),
            "--seed must be an integer from 0 to 9007199254740991, not \"1e99\"");
  EXPECT_EQ(set("aux", "maybe"), "--aux must be true or false, not \"maybe\"");
  EXPECT_EQ(set("dropout", "2"), "--dropout must be a number of at least 0 and below 1, not \"2\"");
  EXPECT_EQ(set("workers", ""), "--workers must be an integer from 0 to 256, not \"\"");
}

TEST(Settings, ErrorsInAFileNameItsLine) {
  TemporaryFolder folder;
  const std::filesystem::path path = folder / "config.toml";
  const auto says = [&](ErrorKind kind, const std::string& text) {
    put(path, text);
    std::string message = error_text(kind, [&] { (void)from_toml(path); });
    for (size_t at; (at = message.find(path.string())) != std::string::npos;)
      message.replace(at, path.string().size(), "FILE");
    return message;
  };
  EXPECT_EQ(says(ErrorKind::usage, "\nepoch = 3\n"),
            "unknown setting \"epoch\"\n"
            "  nearest epochs\n"
            "  at      FILE:2");
  EXPECT_EQ(says(ErrorKind::usage, "epochs = 0"),
            "--epochs must be an integer from 1 to 1000000, not \"0\"\n"
            "  at      FILE:1");
  EXPECT_EQ(says(ErrorKind::usage, "lr = [1]"),
            "lr: a text, a number, true or false is expected\n"
            "  at      FILE:1");
  EXPECT_EQ(says(ErrorKind::data, "lr = 1\nbatch = = 2\n").substr(0, 6), "FILE: ");
  EXPECT_NE(says(ErrorKind::data, "lr = 1\nbatch = = 2\n").find("\n  line    2"),
            std::string::npos);
  std::filesystem::remove(path);
  expect_error(ErrorKind::data, path.string(), [&] { (void)from_toml(path); });
}

TEST(History, ReadsBackFromCsv) {
  const std::vector<EpochRecord> history{
      {.epoch = 1,
       .lr = 0.1,
       .numbers = {{"train_loss", 1.0 / 3},
                   {"train_accuracy", 0.5},
                   {"val_loss", 0.7},
                   {"val_accuracy", 2.0 / 3}},
       .seconds = 12.25,
       .images_per_second = 1e4 / 3,
       .waiting = 0.125},
      {.epoch = 2,
       .lr = 1e-9,
       .numbers = {{"train_loss", 0}, {"train_accuracy", 1}, {"mine", -3}},
       .seconds = 1,
       .images_per_second = 2}};
  const std::string text = to_csv(history);
  EXPECT_EQ(text,
            "epoch,lr,train_loss,train_accuracy,val_loss,val_accuracy,mine,seconds,"
            "images_per_second,waiting\n"
            "1,0.1,0.3333333333333333,0.5,0.7,0.6666666666666666,,12.25,3333.3333333333335,0.125\n"
            "2,1e-09,0,1,,,-3,1,2,0\n");
  const std::vector<EpochRecord> read = from_csv(text);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].numbers, history[0].numbers);
  EXPECT_EQ(read[1].numbers, history[1].numbers);
  EXPECT_EQ(to_csv(read), text);
  EXPECT_TRUE(from_csv(to_csv({})).empty());
  EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)from_csv(text + "3,1,x,,,,,1,2,0\n"); }),
            "history: line 4: \"x\" is not a number\n"
            "  line    3,1,x,,,,,1,2,0");
  EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)from_csv(text + "3,1\n"); }),
            "history: line 4 is not 10 numbers\n"
            "  line    3,1");
}

/// While it lives, the current folder is `path`.
class In {
 public:
  explicit In(const std::filesystem::path& path) : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  ~In() { std::filesystem::current_path(before_); }
  In(const In&) = delete;
  In& operator=(const In&) = delete;

 private:
  std::filesystem::path before_;
};

TEST(RunFolder, HasTheFirstFreeNumber) {
  TemporaryFolder folder;
  const In in(folder / "");
  Settings settings;
  settings.data = "mnist:/some/where";
  EXPECT_EQ(make_run_folder("", settings).path, "runs/small_cnn-mnist-001");
  EXPECT_EQ(make_run_folder("", settings).path, "runs/small_cnn-mnist-002");
  settings.model = "lenet_cnn";
  EXPECT_EQ(make_run_folder("", settings).path, "runs/lenet_cnn-mnist-001");
  EXPECT_EQ(from_toml("runs/lenet_cnn-mnist-001/config.toml").model, "lenet_cnn");
}

TEST(RunFolder, IsRefusedUnlessEmpty) {
  TemporaryFolder folder;
  const std::string out = folder / "a/b";
  EXPECT_EQ(make_run_folder(out, {}).path, out);
  EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)make_run_folder(out, {}); }),
            "--out " + out + " is not empty\n  try     another folder, or --resume " + out +
                " to go on with the run there");
  put(folder / "file", "x");
  const std::string below = folder / "file/run";
  expect_error(ErrorKind::io, "cannot create the run folder " + below,
               [&] { (void)make_run_folder(below, {}); });
}

TEST(RunFolder, IsNotWrittenByTwoRunsAtOnce) {
  TemporaryFolder folder;
  const std::string out = folder / "run";
  const auto refusal = [&](auto&& action) { return error_text(ErrorKind::usage, action); };
  const std::string expected =
      "another process is training in " + out + "\n  process " + std::to_string(::getpid()) +
      "\n  try     another folder; or this one when that process has ended";
  {
    const RunFolder first = make_run_folder(out, {});
    EXPECT_EQ(refusal([&] { (void)make_run_folder(out, {}); }), expected);
    EXPECT_EQ(refusal([&] { const RunLock second(out); }), expected);
    EXPECT_EQ(refusal([&] { const RunLock third(out); }), expected);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "run/run.lock"));
  put(folder / "run/run.lock", "1\n");  // left by a process that was killed
  EXPECT_NO_THROW(const RunLock after(out));
  std::filesystem::create_directories(folder / "killed");  // before it wrote anything
  put(folder / "killed/run.lock", "1\n");
  EXPECT_NO_THROW((void)make_run_folder(folder / "killed", {}));
  expect_error(ErrorKind::io, "cannot write ", [&] { const RunLock none(folder / "nowhere"); });
}

TEST(SaveEvery, IsOfEpochsOrMinutes) {
  EXPECT_EQ(SaveEvery("").epochs, 0);
  EXPECT_EQ(SaveEvery("").seconds, 300);
  EXPECT_EQ(SaveEvery("5").epochs, 5);
  EXPECT_EQ(SaveEvery("0.5m").seconds, 30);
  EXPECT_EQ(SaveEvery("0.5m").epochs, 0);
  for (const char* text : {"0", "m", "1.5", "5s", "-1", "x", "nanm", "1e9"}) {
    EXPECT_EQ(error_text(ErrorKind::usage, [&] { (void)SaveEvery(text); }),
              "--save-every: cannot read \"" + std::string(text) +
                  "\"\n  expected a number of epochs, such as 5, or of minutes, such as 10m");
  }
}

TEST(RunFolder, KeepsTheLatestFilesOfEpochs) {
  TemporaryFolder folder;
  EXPECT_EQ(epoch_file(7), "epoch-0007.safetensors");
  EXPECT_EQ(epoch_file(12345), "epoch-12345.safetensors");
  for (const char* name : {"epoch-0998.safetensors", "epoch-9999.safetensors",
                           "epoch-10000.safetensors", "epoch-mine.safetensors", "best.safetensors"})
    put(folder / name, "x");
  remove_epoch_files(folder / "", 2);
  EXPECT_FALSE(std::filesystem::exists(folder / "epoch-0998.safetensors"));
  for (const char* name : {"epoch-9999.safetensors", "epoch-10000.safetensors",
                           "epoch-mine.safetensors", "best.safetensors"})
    EXPECT_TRUE(std::filesystem::exists(folder / name)) << name;
}

TEST(RunFolder, AppendsLinesToTheLog) {
  TemporaryFolder folder;
  append_log(folder / "", "one");
  append_log(folder / "", "two");
  EXPECT_EQ(read_text(folder / "log.txt", ErrorKind::data), "one\ntwo\n");
}

TEST(RunFolder, ALogOnAFullDiskDoesNotEndARun) {
  TemporaryFolder folder;
  std::filesystem::create_symlink("/dev/full", folder / "log.txt");
  append_log(folder / "", "one");
  append_log(folder / "none", "two");
}

}  // namespace
}  // namespace fovea::train
