// The page of a run, from the results of its test.
#include "fovea/predict/evaluation.h"
#include "fovea/records/recorder.h"
#include "fovea/report/report.h"
#include "train/training.h"

namespace fovea::report {
namespace {

/// Keeps what the test of a run gives, and counts its batches.
struct Kept : train::Callback {
  Results results{.split = "test"};
  int64_t batches = 0;

  void on_test(train::Trainer& trainer, const EvaluatedBatch& batch) override {
    results.add(batch, *trainer.setup().task);
    ++batches;
  }
  void on_end(train::Trainer& trainer, const train::Result& result) override {
    results.samples = trainer.setup().prepared(trainer.setup().sets.test);
    results.count = results.all = result.test_samples;
    results.numbers = result.test;
    results.tables = result.test_tables;
  }
};

class ReportOfARun : public train::Training {
 protected:
  ReportOfARun() {
    records::Recorder recorder;
    train::train(settings_, folder_ / "run", {&kept_, &recorder});
  }
  Kept kept_;
};

TEST_F(ReportOfARun, TheTrainersOwnTestIsWhatAnEvaluationWouldGive) {
  EXPECT_GT(kept_.batches, 0);
  Predictor predictor(folder_ / "run/best.safetensors");
  const Results again = evaluate(predictor, kept_.results.samples, "test");
  EXPECT_EQ(again.count, 40);
  EXPECT_EQ(kept_.results.count, again.count);
  ASSERT_EQ(kept_.results.verdicts.size(), again.verdicts.size());
  for (size_t i = 0; i < again.verdicts.size(); ++i) {
    EXPECT_EQ(kept_.results.verdicts[i].index, static_cast<int64_t>(i));
    EXPECT_EQ(kept_.results.verdicts[i].prediction, again.verdicts[i].prediction);
    EXPECT_EQ(kept_.results.verdicts[i].target, again.verdicts[i].target);
    EXPECT_NEAR(kept_.results.verdicts[i].probability, again.verdicts[i].probability, 1e-5);
  }
  ASSERT_EQ(kept_.results.numbers.size(), again.numbers.size());
  for (size_t i = 0; i < again.numbers.size(); ++i)
    EXPECT_NEAR(kept_.results.numbers[i].second, again.numbers[i].second, 1e-5);
  ASSERT_EQ(kept_.results.tables.size(), again.tables.size());
  EXPECT_EQ(kept_.results.tables[0].rows, again.tables[0].rows);
}

// The data are gone: nothing is measured again.
TEST_F(ReportOfARun, IsMadeOfTheTrainersOwnTest) {
  std::filesystem::remove_all(folder_ / "data");
  const std::string page = run_report({(folder_ / "run").string()}, {.tested = &kept_.results});
  EXPECT_NE(page.find("Confusion"), std::string::npos);
  EXPECT_NE(page.find("Grad-CAM"), std::string::npos);
  EXPECT_EQ(page.find("was not measured"), std::string::npos);
  EXPECT_NE(run_report({(folder_ / "run").string()}).find("was not measured"), std::string::npos);
}

TEST_F(ReportOfARun, AnInterruptLeavesItOut) {
  std::stop_source stop;
  stop.request_stop();
  int64_t measured = 0;
  const Options options{.progress = [&](double, const std::string&) { ++measured; },
                        .stop = stop.get_token()};
  EXPECT_EQ(run_report({(folder_ / "run").string()}, options), "");
  EXPECT_EQ(measured, 0);
  // And one that comes while examples are explained.
  Predictor predictor(folder_ / "run/best.safetensors");
  const Measured shown = describe(predictor, kept_.results, 12, stop.get_token());
  EXPECT_TRUE(shown.right.empty() || shown.right[0].explained.pixels.empty());
}

}  // namespace
}  // namespace fovea::report
