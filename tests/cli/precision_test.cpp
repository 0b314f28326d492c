#include <gtest/gtest.h>

#include "program.h"

namespace fovea::cli_test {
namespace {

Arguments bench(const std::string& what, const std::string& precision) {
  return {"bench", what,       "--model", "lenet5",      "--batch", "8",     "--samples",
          "1",     "--warmup", "0",       "--precision", precision, "--json"};
}

TEST(Precision, BenchMeasuresEachAndTakesTheFasterForAuto) {
  for (const char* what : {"step", "infer"}) {
    for (const char* precision : {"f32", "bf16", "f16"}) {
      const nlohmann::json one = fovea(bench(what, precision)).json();
      EXPECT_EQ(one["precision"], precision);
      EXPECT_EQ(one["precisions"].size(), 1u);
    }
    const nlohmann::json all = fovea(bench(what, "auto")).json(), &list = all["precisions"];
    ASSERT_EQ(list.size(), 2u);
    const bool bf16 = list[1]["images_per_second"] > list[0]["images_per_second"];
    EXPECT_EQ(all["precision"], bf16 ? "bf16" : "f32");
  }
  const Outcome unknown = fovea(bench("step", "half"));
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.out.find("\\\"half\\\" is not a precision"), std::string::npos) << unknown.out;
}

TEST(Precision, A16BitPrecisionTakesLessMemory) {
  const auto arena = [](const std::string& precision) {
    return fovea({"plan", "--model", "resnet18_cifar", "--input", "3x32x32", "--batch", "128",
                  "--measure", "0", "--precision", precision, "--json"})
        .json()["memory"]["arena"]
        .get<double>();
  };
  const double f32 = arena("f32");
  EXPECT_LT(arena("bf16"), 0.8 * f32);
  EXPECT_LT(arena("f16"), 0.8 * f32);
}

}  // namespace
}  // namespace fovea::cli_test
