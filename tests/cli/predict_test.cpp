// What is done with a trained model, and looking at data.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "fovea/core/text.h"
#include "fovea/formats/model_file.h"
#include "fovea/formats/npy.h"
#include "fovea/images/codec.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

constexpr int side = 12;

/// A data set, a short training on it, and some of its test images as files.
class Trained : public testing::Test {
 protected:
  void SetUp() override {
    write_digits(folder_ / "data", 600, 100, side);
    data_ = "mnist:" + (folder_ / "data").string();
    model_ = folder_ / "run/best.safetensors";
    const Outcome run =
        fovea({"train", "--data", data_, "--model", "small_cnn", "--epochs", "2", "--batch", "16",
               "--lr", "0.02", "--augment", "none", "--threads", "1", "--out", folder_ / "run"});
    ASSERT_EQ(run.code, 0) << run.err;
  }

  /// Paths and classes of saved test images.
  nlohmann::json samples(int count) {
    return fovea({"data", "samples", data_, "--count", std::to_string(count), "--out",
                  (folder_ / "pngs/").string(), "--json"})
        .json()
        .at("samples");
  }

  TemporaryFolder folder_;
  std::string data_, model_;
};

TEST_F(Trained, EvalMeasuresTheSplit) {
  const nlohmann::json result =
      fovea({"eval", "--model", model_, "--data", data_, "--json"}).json();
  EXPECT_EQ(result.at("count"), 100);
  EXPECT_GT(result.at("accuracy"), 0.5);
  EXPECT_GE(result.at("top5"), result.at("accuracy"));
  EXPECT_GT(result.at("loss"), 0);
  ASSERT_EQ(result.at("per_class").size(), 10u);
  int correct = 0;
  for (const auto& own : result.at("per_class")) {
    EXPECT_EQ(own.at("count"), 10);
    correct += own.at("correct").get<int>();
  }
  EXPECT_NEAR(correct, 100 * result.at("accuracy").get<double>(), 1e-6);
  // Batches that do not divide the count give the same numbers.
  const nlohmann::json other =
      fovea({"eval", "--model", model_, "--data", data_, "--batch", "33", "--json"}).json();
  EXPECT_EQ(other.at("accuracy"), result.at("accuracy"));
  EXPECT_EQ(fovea({"eval", "--model", model_, "--data", data_, "--split", "train", "--json"})
                .json()
                .at("count"),
            600);
}

/// The cells of a CSV file without quotes.
std::vector<std::vector<std::string>> cells_of(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  for (const std::string& line : split(text, '\n')) {
    if (!line.empty()) rows.push_back(split(line, ','));
  }
  return rows;
}

TEST_F(Trained, EvalTellsWhichClassesAreConfused) {
  const Outcome text = fovea({"eval", "--model", model_, "--data", data_});
  EXPECT_NE(text.out.find("\nece       0."), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("accuracy  precision  recall      f1"), std::string::npos) << text.out;
  const nlohmann::json result =
      fovea({"eval", "--model", model_, "--data", data_, "--json"}).json();
  const auto& matrix = result.at("confusion");
  ASSERT_EQ(matrix.size(), 10u);
  int64_t wrong = 0;
  for (size_t r = 0; r < 10; ++r) {
    int64_t count = 0;
    for (size_t c = 0; c < 10; ++c) {
      count += matrix[r][c].get<int64_t>();
      if (r != c) wrong += matrix[r][c].get<int64_t>();
    }
    EXPECT_EQ(count, 10);
    EXPECT_EQ(matrix[r][r], result.at("per_class")[r].at("correct"));
  }
  EXPECT_NEAR(1 - static_cast<double>(wrong) / 100, result.at("accuracy").get<double>(), 1e-12);
  EXPECT_EQ(text.out.find("most confused: class") != std::string::npos, wrong > 0) << text.out;
}

TEST_F(Trained, TheConfusionMatrixIsATableOrAPicture) {
  Arguments eval{"eval", "--model", model_, "--data", data_, "--json", "--confusion"};
  const auto to = [&](const std::string& file) {
    eval.push_back(folder_ / file);
    const Outcome outcome = fovea(eval);
    eval.pop_back();
    return outcome;
  };
  const nlohmann::json matrix = to("confusion.csv").json().at("confusion");
  const auto rows = cells_of(contents(folder_ / "confusion.csv"));
  ASSERT_EQ(rows.size(), 11u);
  EXPECT_EQ(rows[0][0], "class");
  EXPECT_EQ(rows[0][4], "3");
  for (size_t r = 0; r < 10; ++r) {
    EXPECT_EQ(rows[r + 1][0], std::to_string(r));
    for (size_t c = 0; c < 10; ++c)
      EXPECT_EQ(rows[r + 1][c + 1], std::to_string(matrix[r][c].get<int64_t>()));
  }
  EXPECT_EQ(to("confusion.png").code, 0);
  EXPECT_EQ(decode_image(folder_ / "confusion.png").channels, 3);
  const Outcome unknown = to("confusion.txt");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.out.find("its name does not say the format"), std::string::npos);
}

TEST_F(Trained, EvalMeasuresTheSamplesThatValidatedTheTraining) {
  const nlohmann::json result =
      fovea({"eval", "--model", model_, "--data", data_, "--split", "val", "--json"}).json();
  EXPECT_EQ(result.at("count"), 60);
  EXPECT_EQ(format_number(result.at("accuracy").get<double>()),
            load_model(model_).training.at("val_accuracy"));

  ModelFile file = load_model(model_);
  const auto says = [&](const std::string& data) {
    save_model(folder_ / "other.safetensors", file);
    const Outcome outcome =
        fovea({"eval", "--model", folder_ / "other.safetensors", "--data", data, "--split", "val"});
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    return outcome.err;
  };
  write_digits(folder_ / "more", 601, 100, side);
  EXPECT_NE(says("mnist:" + (folder_ / "more").string())
                .find("the validation data were held out of different training data"),
            std::string::npos);
  file.training["setting.val"] = "0";
  EXPECT_NE(says(data_).find("trained without validation data: --val 0"), std::string::npos);
  file.training.erase("setting.val");
  EXPECT_NE(says(data_).find("does not say which samples validated its training"),
            std::string::npos);
}

TEST_F(Trained, TheAccuracyOfThePredictionsFileIsEvals) {
  for (const Arguments& more : {Arguments{}, {"--tta", "flip,shift", "--batch", "33"}}) {
    Arguments arguments{"eval", "--model", model_, "--data", data_, "--json", "--predictions"};
    Arguments as_csv = arguments, as_array = arguments;
    as_csv.push_back(folder_ / "p.csv");
    as_array.push_back(folder_ / "p.npy");
    as_csv.insert(as_csv.end(), more.begin(), more.end());
    as_array.insert(as_array.end(), more.begin(), more.end());
    const nlohmann::json result = fovea(as_csv).json();
    const auto rows = cells_of(contents(folder_ / "p.csv"));
    ASSERT_EQ(rows.size(), 101u);
    EXPECT_EQ(rows[0], split("path,target,prediction,probability,correct", ','));
    EXPECT_EQ(fovea(as_array).json(), result);
    const Array outputs = read_npy(folder_ / "p.npy");
    ASSERT_EQ(describe(outputs), "f32[100, 10]");
    double right = 0;
    for (int64_t i = 0; i < 100; ++i) {
      const auto& row = rows[static_cast<size_t>(i) + 1];
      EXPECT_EQ(row[0], "sample " + std::to_string(i));
      EXPECT_EQ(row[1] == row[2], row[4] == "1");
      right += row[4] == "1";
      int64_t best = 0;
      for (int64_t k = 1; k < 10; ++k) {
        if (outputs.at(i * 10 + k) > outputs.at(i * 10 + best)) best = k;
      }
      EXPECT_EQ(row[2], std::to_string(best));
    }
    EXPECT_EQ(result.at("accuracy"), right / 100);
    EXPECT_EQ(result.contains("tta"), !more.empty());
  }
  const Outcome text = fovea({"eval", "--model", model_, "--data", data_, "--tta", "flip"});
  EXPECT_NE(text.out.find("tta       flip, the mean of 2 views\n"), std::string::npos) << text.out;
  EXPECT_EQ(fovea({"eval", "--model", model_, "--data", data_, "--tta", "flop"}).code, 2);
  EXPECT_EQ(fovea({"eval", "--model", model_, "--data", data_, "--predictions", "p.txt"}).code, 2);
  const Outcome nowhere =
      fovea({"eval", "--model", model_, "--data", data_, "--predictions", folder_ / "none/p.csv"});
  EXPECT_EQ(nowhere.code, 5) << nowhere.err;
}

TEST_F(Trained, TheViewsOfTheTrainingAreUsedByDefault) {
  // A recipe's accuracy is that of its views: eval of its model file reports the same number.
  ModelFile file = load_model(model_);
  file.training["setting.tta"] = "flip";
  save_model(folder_ / "views.safetensors", file);
  const std::string model = folder_ / "views.safetensors";
  const auto eval = [&](const std::string& with, const Arguments& more) {
    Arguments arguments{"eval", "--model", with, "--data", data_, "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return fovea(arguments).json();
  };
  EXPECT_EQ(eval(model, {}), eval(model_, {"--tta", "flip"}));
  EXPECT_EQ(eval(model, {"--tta", "none"}), eval(model_, {}));
  file.training["setting.tta"] = "upside down";
  save_model(folder_ / "views.safetensors", file);
  EXPECT_EQ(fovea({"eval", "--model", model, "--data", data_}).code, 4);
}

TEST_F(Trained, PredictTakesFoldersAndWritesATable) {
  const nlohmann::json files = samples(40);  // more than one batch
  std::filesystem::create_directories(folder_ / "pngs/deeper/empty");
  const std::string first = files[0].at("path");
  std::filesystem::rename(first, folder_ / "pngs/deeper/z.png");
  put(folder_ / "pngs/deeper/broken.png", "no picture");
  put(folder_ / "pngs/notes.txt", "no picture either");
  const auto predict = [&](const Arguments& more) {
    Arguments arguments{"predict", "--model", model_, folder_ / "pngs"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return fovea(arguments);
  };
  const Outcome outcome = predict({"--csv", folder_ / "p.csv", "--top", "2"});
  EXPECT_EQ(outcome.code, 3);  // of the one that is broken
  EXPECT_NE(outcome.err.find("broken.png: not a PNG, JPEG or WebP"), std::string::npos);
  EXPECT_NE(outcome.out.find("p.csv: 40 predictions"), std::string::npos) << outcome.out;
  auto rows = cells_of(contents(folder_ / "p.csv"));
  ASSERT_EQ(rows.size(), 41u);
  EXPECT_EQ(rows[0], split("path,prediction,probability,prediction_2,probability_2", ','));
  rows.erase(rows.begin());
  EXPECT_TRUE(std::ranges::is_sorted(rows));
  EXPECT_EQ(predict({"--csv", folder_ / "first.csv"}).code, 3);
  EXPECT_TRUE(contents(folder_ / "first.csv").starts_with("path,prediction,probability\n"));

  // What is predicted together is what is predicted alone.
  const nlohmann::json alone = predict({"--batch", "1", "--json"}).json().at("predictions");
  ASSERT_EQ(alone.size(), 41u);
  size_t at = 0;
  for (const auto& entry : alone) {
    if (entry.contains("error")) continue;
    EXPECT_EQ(rows[at][0], entry.at("path").get<std::string>());
    EXPECT_EQ(rows[at][1], entry.at("classes")[0].at("name").get<std::string>());
    EXPECT_NEAR(std::stod(rows[at][2]), entry.at("classes")[0].at("probability"), 1e-5);
    ++at;
  }
  EXPECT_EQ(at, 40u);

  const Outcome none = fovea({"predict", "--model", model_, folder_ / "pngs/deeper/empty"});
  EXPECT_EQ(none.code, 3);
  EXPECT_NE(none.err.find("empty: a folder without images"), std::string::npos) << none.err;
}

TEST_F(Trained, ControlCharactersInNamesDoNotReachTheTerminal) {
  const nlohmann::json picture = samples(1)[0];
  const std::string name = folder_ / "red\x1b[31m\n.png", broken = folder_ / "broken\x1b[31m.png";
  std::filesystem::copy_file(picture.at("path").get<std::string>(), name);
  put(broken, "no image");
  const Outcome outcome = fovea({"predict", "--model", model_, name, broken});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.out.find("red\\x1b[31m\\x0a.png\n"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("broken\\x1b[31m.png"), std::string::npos) << outcome.err;
  EXPECT_EQ((outcome.out + outcome.err).find('\x1b'), std::string::npos);
  EXPECT_EQ(fovea({"predict", "--model", model_, name, "--json"}).json()["predictions"][0]["path"],
            name);
}

TEST_F(Trained, EvalRefusesOtherClasses) {
  const Outcome outcome =
      fovea({"eval", "--model", model_, "--data", "fashion-mnist:" + (folder_ / "data").string()});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("10 classes are not among the expected ones\n"
                             "  unknown  T-shirt/top, Trouser"),
            std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("expected 0, 1, 2"), std::string::npos) << outcome.err;
}

TEST_F(Trained, PredictNamesWhatThePicturesShow) {
  const nlohmann::json files = samples(10);
  Arguments arguments{"predict", "--model", model_, "--top", "3", "--json"};
  for (const auto& file : files) arguments.push_back(file.at("path"));
  const nlohmann::json predictions = fovea(arguments).json().at("predictions");
  ASSERT_EQ(predictions.size(), 10u);
  int right = 0;
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(predictions[i].at("path"), files[i].at("path"));
    const auto& classes = predictions[i].at("classes");
    ASSERT_EQ(classes.size(), 3u);
    EXPECT_GE(classes[0].at("probability"), classes[1].at("probability"));
    right += classes[0].at("name") == files[i].at("class");
  }
  EXPECT_GE(right, 6);
  const Outcome text = fovea({"predict", "--model", model_, files[0].at("path")});
  EXPECT_NE(text.out.find('%'), std::string::npos) << text.out;
}

/// The same test images give the same predictions as pictures and as raw numbers.
TEST_F(Trained, RawInputGivesThePicturesLogits) {
  const nlohmann::json files = samples(70);  // more than one batch of it
  const nlohmann::json info = fovea({"data", "info", data_, "--json"}).json();
  const double mean = info.at("mean")[0], deviation = info.at("std")[0];
  Array input(DType::f32, {70, 1, side, side});
  Arguments arguments{"predict", "--model", model_, "--top", "10", "--json"};
  for (int64_t i = 0; i < 70; ++i) {
    const std::string path = files[static_cast<size_t>(i)].at("path");
    const Image image = decode_image(path);
    for (int64_t k = 0; k < side * side; ++k) {
      const double value = image.pixels[static_cast<size_t>(k)];
      input.set(i * side * side + k, (value / 255 - mean) / deviation);
    }
    arguments.push_back(path);
  }
  write_npy(folder_ / "x.npy", input);
  const Outcome outcome = fovea(
      {"predict", "--model", model_, "--input", folder_ / "x.npy", "--output", folder_ / "y.npy"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Array logits = read_npy(folder_ / "y.npy");
  ASSERT_EQ(logits.shape(), (Shape{70, 10}));
  ASSERT_EQ(logits.dtype(), DType::f32);
  const nlohmann::json predictions = fovea(arguments).json().at("predictions");
  for (int64_t i = 0; i < 70; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < 10; ++k) sum += std::exp(logits.at(i * 10 + k));
    for (const auto& guess : predictions[static_cast<size_t>(i)].at("classes")) {
      const int64_t k = std::stoll(guess.at("name").get<std::string>());
      EXPECT_NEAR(std::exp(logits.at(i * 10 + k)) / sum, guess.at("probability").get<double>(),
                  1e-5);
    }
  }
}

TEST_F(Trained, FlagsChooseTheKernels) {
  Array input(DType::f32, {37, 1, side, side});
  for (int64_t i = 0; i < input.numel(); ++i) input.set(i, std::sin(static_cast<double>(i)));
  write_npy(folder_ / "x.npy", input);
  // With these, Winograd's algorithm is the default choice for this net; with AVX-512 it need not
  // be.
  const bool avx2 = fovea({"models"}, {.set = {"FOVEA_ISA=avx2"}}).code == 0;
  const std::string limit = avx2 ? "avx2" : "sse4";
  const auto outputs = [&](const Arguments& flags) {
    Arguments arguments{"predict",         "--model",  model_,           "--input",
                        folder_ / "x.npy", "--output", folder_ / "y.npy"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Outcome outcome = fovea(arguments, {.set = {"FOVEA_ISA=" + limit}});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return contents(folder_ / "y.npy");
  };
  EXPECT_NE(outputs({"--threads", "2"}), outputs({"--threads", "2", "--no-winograd"}));
  EXPECT_EQ(outputs({"--no-winograd", "--deterministic", "--threads", "1"}),
            outputs({"--no-winograd", "--deterministic", "--threads", "3"}));

  for (const Arguments& command : {Arguments{"predict", "--model", model_, "x.png"},
                                   {"eval", "--model", model_, "--data", data_}}) {
    Arguments both = command;
    both.insert(both.end(), {"--deterministic", "--tune"});
    const Outcome refused = fovea(both);
    EXPECT_EQ(refused.code, 2);
    EXPECT_EQ(refused.err,
              "error: --deterministic and --tune contradict each other\n"
              "  because which kernels are the fastest depends on the number of threads\n"
              "  try     one of them\n");
  }
}

/// The file is at fault, not the command line.
TEST_F(Trained, AnUnknownArchitectureInAFileIsAFaultOfTheFile) {
  ModelFile file = load_model(model_);
  file.architecture = "resnet19";
  const std::string path = folder_ / "unknown.safetensors";
  save_model(path, file);
  for (const Arguments& command :
       {Arguments{"summary"}, Arguments{"eval", "--data", data_}, Arguments{"bench", "infer"}}) {
    Arguments arguments = command;
    arguments.insert(arguments.end(), {"--model", path});
    const Outcome outcome = fovea(arguments);
    EXPECT_EQ(outcome.code, 4) << command[0] << ": " << outcome.err;
    EXPECT_NE(outcome.err.find("unknown model \"resnet19\""), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find(path), std::string::npos) << outcome.err;
  }
}

/// A weight that is NaN is an error with exit code 6 that names it, whatever is computed with it;
/// raw input gets its logits all the same, with a warning.
TEST_F(Trained, WeightsThatAreNotFiniteAreReported) {
  ModelFile file = load_model(model_);
  for (auto& [name, array] : file.weights) {
    if (!name.ends_with("weight")) continue;
    Array broken = array.clone();
    broken.set(0, NAN);
    const Array whole = std::exchange(array, broken);
    const std::string path = folder_ / "broken.safetensors";
    save_model(path, file);
    array = whole;
    const std::string first = "weight " + name + " holds NaN";

    const nlohmann::json picture = samples(1)[0];
    const Outcome predict = fovea({"predict", "--model", path, picture.at("path")});
    EXPECT_EQ(predict.code, 6) << predict.err;
    EXPECT_NE(predict.err.find("the net's output is not finite"), std::string::npos) << predict.err;
    EXPECT_NE(predict.err.find(first), std::string::npos) << predict.err;
    const Outcome eval = fovea({"eval", "--model", path, "--data", data_, "--json"});
    EXPECT_EQ(eval.code, 6);
    EXPECT_EQ(eval.json().at("error").at("details").at("first"), first);

    write_npy(folder_ / "x.npy", Array::full(DType::f32, {3, 1, side, side}, 0.5));
    const Outcome raw = fovea(
        {"predict", "--model", path, "--input", folder_ / "x.npy", "--output", folder_ / "y.npy"});
    EXPECT_EQ(raw.code, 0) << raw.err;
    EXPECT_NE(raw.err.find("warning: 3 of 3 rows of outputs are not finite: " + first),
              std::string::npos)
        << raw.err;
    EXPECT_TRUE(std::isnan(read_npy(folder_ / "y.npy").at(0)));

    // Looking at such a file and converting it is allowed.
    EXPECT_EQ(fovea({"summary", "--model", path}).code, 0);
    const std::string converted = folder_ / "converted.pth";
    EXPECT_EQ(fovea({"convert", path, converted}).code, 0);
    EXPECT_EQ(fovea({"convert", converted, folder_ / "back.safetensors"}).code, 0);
  }
}

TEST_F(Trained, OneBadRowOfRawInputIsReportedAndTheRestIsWritten) {
  Array input = Array::full(DType::f32, {130, 1, side, side}, 0.5);
  input.set(100 * side * side + 7, INFINITY);
  write_npy(folder_ / "x.npy", input);
  const Outcome outcome = fovea({"predict", "--model", model_, "--input", folder_ / "x.npy",
                                 "--output", folder_ / "y.npy", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(
      outcome.err.find("warning: 1 of 130 rows of outputs are not finite: the input holds inf"),
      std::string::npos)
      << outcome.err;
  EXPECT_EQ(outcome.json().at("not_finite"), 1);
  const Array logits = read_npy(folder_ / "y.npy");
  for (int64_t i = 0; i < 130; ++i) EXPECT_EQ(std::isfinite(logits.at(i * 10)), i != 100) << i;
}

TEST_F(Trained, RawInputOfAnotherKindIsRefused) {
  write_npy(folder_ / "wide.npy", Array(DType::f32, {1, 1, side, 2 * side}));
  const auto predict = [&](const std::string& name) {
    return fovea(
        {"predict", "--model", model_, "--input", folder_ / name, "--output", folder_ / "y.npy"});
  };
  const Outcome wide = predict("wide.npy");
  EXPECT_EQ(wide.code, 2);
  EXPECT_NE(wide.err.find("an image size that gives 576 features"), std::string::npos) << wide.err;
  write_npy(folder_ / "rgb.npy", Array(DType::f32, {1, 3, side, side}));
  EXPECT_NE(predict("rgb.npy").err.find("expected 1 channel on axis 1"), std::string::npos);
  write_npy(folder_ / "double.npy", Array(DType::f64, {1, 1, side, side}));
  EXPECT_EQ(predict("double.npy").code, 2);
  EXPECT_EQ(predict("missing.npy").code, 3);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "y.npy"));
}

TEST_F(Trained, BrokenFilesAreReported) {
  const std::string whole = contents(model_);
  put(folder_ / "cut.safetensors", whole.substr(0, whole.size() / 2));
  put(folder_ / "cat.png", "no picture");
  const auto code = [&](const std::string& model, const std::string& image) {
    const Outcome outcome = fovea({"predict", "--model", model, image});
    EXPECT_EQ(outcome.err.substr(0, 7), "error: ") << outcome.err;
    return outcome.code;
  };
  const std::string good = samples(1)[0].at("path");
  EXPECT_EQ(code(folder_ / "cut.safetensors", good), 4);
  EXPECT_EQ(code(folder_ / "none.safetensors", good), 4);
  EXPECT_EQ(code(model_, folder_ / "cat.png"), 3);
  EXPECT_EQ(code(model_, folder_ / "none.png"), 3);
  EXPECT_EQ(code("small_cnn", good), 2);  // a net without weights predicts nothing
  EXPECT_EQ(code("smallcnn", good), 2);
}

// One bad file among thousands must not cost the predictions of the others.
TEST_F(Trained, ABadPictureCostsOnlyItsOwnPrediction) {
  const nlohmann::json files = samples(2);
  const std::string first = files[0].at("path"), last = files[1].at("path");
  put(folder_ / "cat.png", "no picture");
  const std::string bad = folder_ / "cat.png";
  const Arguments arguments{"predict", "--model", model_, "--top", "1", first, bad, last};

  const Outcome text = fovea(arguments);
  EXPECT_EQ(text.code, 3);
  EXPECT_NE(text.out.find(first), std::string::npos) << text.out;
  EXPECT_NE(text.out.find(last), std::string::npos) << text.out;
  EXPECT_EQ(text.out.find(bad), std::string::npos) << text.out;
  EXPECT_TRUE(text.err.starts_with("error: " + bad + ": not a PNG, JPEG or WebP")) << text.err;

  Arguments json = arguments;
  json.push_back("--json");
  const Outcome outcome = fovea(json);
  EXPECT_EQ(outcome.code, 3);
  const nlohmann::json predictions = nlohmann::json::parse(outcome.out).at("predictions");
  ASSERT_EQ(predictions.size(), 3u);
  EXPECT_EQ(predictions[0].at("classes").size(), 1u);
  EXPECT_EQ(predictions[1].at("path"), bad);
  EXPECT_EQ(predictions[1].at("error").at("kind"), "data");
  EXPECT_EQ(predictions[1].at("error").at("message"), bad + ": not a PNG, JPEG or WebP");
  EXPECT_FALSE(predictions[1].contains("classes"));
  EXPECT_EQ(predictions[2].at("classes").size(), 1u);
}

TEST_F(Trained, ALargePictureIsReadIfAllowed) {
  const std::string picture = samples(1)[0].at("path");
  const auto predict = [&](const std::string& limit) {
    return fovea({"predict", "--model", model_, "--max-pixels", limit, picture});
  };
  EXPECT_EQ(predict("144").code, 0);
  const Outcome refused = predict("143");
  EXPECT_EQ(refused.code, 3);
  EXPECT_NE(refused.err.find("its header declares 12x12 pixels, too many to read\n"
                             "  pixels  144\n  limit   143\n  try     --max-pixels 144"),
            std::string::npos)
      << refused.err;
  const auto filter = [&](const std::string& limit) {
    return fovea({"filter", "--kernel", "box", "--max-pixels", limit, picture, folder_ / "out.png"})
        .code;
  };
  EXPECT_EQ(filter("143"), 3);
  EXPECT_EQ(filter("144"), 0);
}

// Who teaches ImageNet's weights, which are of RGB, gray images does what the refusal says.
TEST_F(Trained, WeightsOfRgbLearnGrayImagesAsTheErrorSays) {
  const auto train = [&](const std::string& out, const Arguments& more) {
    Arguments arguments{"train", "--data",  data_,   "--model",    "small_cnn", "--epochs",
                        "1",     "--batch", "64",    "--augment",  "none",      "--threads",
                        "1",     "--quiet", "--out", folder_ / out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return fovea(arguments);
  };
  const std::string rgb = folder_ / "rgb/last.safetensors";
  ASSERT_EQ(train("rgb", {"--input", "3x12x12"}).code, 0);

  const Outcome gray_data = train("a", {"--weights", rgb});
  EXPECT_EQ(gray_data.code, 2);
  EXPECT_EQ(gray_data.err,
            "error: " + rgb +
                ": the weights are for images of 3 channels, but the net's input has 1\n"
                "  try     --input 3x12x12: each gray image as RGB\n");
  EXPECT_EQ(train("b", {"--weights", rgb, "--input", "3x12x12"}).code, 0);
  const std::string tuned = folder_ / "b/last.safetensors";
  EXPECT_EQ(fovea({"eval", "--model", tuned, "--data", data_}).code, 0);
  EXPECT_EQ(fovea({"predict", "--model", tuned, samples(1)[0].at("path")}).code, 0);

  const Outcome rgb_data = train("c", {"--weights", model_, "--input", "3x12x12"});
  EXPECT_EQ(rgb_data.code, 2);
  EXPECT_NE(rgb_data.err.find("  try     --input 1x12x12: each colour image as gray"),
            std::string::npos)
      << rgb_data.err;
}

TEST_F(Trained, SummaryReadsTheModelFile) {
  const nlohmann::json summary =
      fovea({"summary", "--model", model_, "--json", "--batch", "2"}).json();
  EXPECT_EQ(summary.at("model"), "small_cnn");
  EXPECT_EQ(summary.at("input"), nlohmann::json::array({1, side, side}));
}

TEST(Data, InfoAndSamples) {
  TemporaryFolder folder;
  write_digits(folder / "data", 50, 20, side);
  const std::string data = "mnist:" + (folder / "data").string();
  const nlohmann::json info = fovea({"data", "info", data, "--json"}).json();
  EXPECT_EQ(info.at("classes").size(), 10u);
  EXPECT_EQ(info.at("splits").at("train").at("count"), 50);
  EXPECT_EQ(info.at("splits").at("test").at("count"), 20);
  EXPECT_EQ(info.at("image"), "1x12x12");
  ASSERT_EQ(info.at("mean").size(), 1u);
  EXPECT_GT(info.at("mean")[0], 0);
  EXPECT_LT(info.at("mean")[0], 1);
  EXPECT_EQ(info.at("fingerprint").get<std::string>().size(), 16u);

  const Outcome grid = fovea({"data", "samples", data, "--out", folder / "grid.png"});
  EXPECT_EQ(grid.code, 0) << grid.err;
  EXPECT_EQ(decode_image(folder / "grid.png").channels, 3);
  const nlohmann::json samples = fovea({"data", "samples", data, "--count", "100", "--split",
                                        "train", "--out", (folder / "pngs/").string(), "--json"})
                                     .json()
                                     .at("samples");
  ASSERT_EQ(samples.size(), 50u) << "no more than there are";
  for (const auto& sample : samples) {
    const std::string path = sample.at("path");
    EXPECT_EQ(path, (folder / "pngs/").string() + std::to_string(sample.at("index").get<int>()) +
                        "-" + sample.at("class").get<std::string>() + ".png");
    EXPECT_EQ(decode_image(path).width, side);
  }
}

}  // namespace
}  // namespace fovea::cli_test
