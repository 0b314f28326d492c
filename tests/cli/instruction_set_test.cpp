#include <gtest/gtest.h>

#include "program.h"

namespace fovea::cli_test {
namespace {

Outcome bench_convolution(const std::string& limit) {
  return fovea({"bench", "op", "conv:mb1ic16ih8oc16kh3ph1", "--no-winograd", "--pass", "fwd",
                "--samples", "1", "--warmup", "0", "--json"},
               {.set = {"FOVEA_ISA=" + limit}});
}

TEST(InstructionSet, FoveaIsaLimitsBothKindsOfKernels) {
  if (bench_convolution("").json()["instruction_set"] == "SSE4") GTEST_SKIP() << "the CPU's best";
  const nlohmann::json result = bench_convolution("sse4").json();
  EXPECT_EQ(result["instruction_set"], "SSE4");
  const std::string kernel = result["results"][0]["kernel"];
  EXPECT_EQ(kernel.find("avx"), std::string::npos) << kernel;
  const Outcome avx2 = bench_convolution("avx2");
  if (avx2.code == 0) {
    EXPECT_EQ(avx2.json()["instruction_set"], "AVX2");
    return;
  }
  // Kernels of a build for one machine with AVX-512; those of SSE4 would say nothing of AVX2.
  EXPECT_EQ(avx2.code, 2);
  const std::string err = fovea({"models"}, {.set = {"FOVEA_ISA=avx2"}}).err;
  EXPECT_TRUE(
      err.starts_with("error: FOVEA_ISA: this CPU or this build does not have avx2\n"
                      "  the best AVX3"))
      << err;
  EXPECT_TRUE(
      err.ends_with("\n"
                    "  compiled sse4, avx512\n"
                    "  try      unset it; cmake --preset release compiles all\n"))
      << err;
}

TEST(InstructionSet, AnUnknownOneIsAUsageErrorThatListsTheChoices) {
  const Outcome outcome = fovea({"models"}, {.set = {"FOVEA_ISA=avx3"}});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.err,
            "error: FOVEA_ISA: unknown instruction set \"avx3\"\n"
            "  known   sse4, avx2, avx512\n"
            "  try     unset it to use all that this CPU has\n");
}

TEST(InstructionSet, OneThatTheCpuDoesNotHaveIsAUsageError) {
  const std::string best = bench_convolution("").json()["instruction_set"];
  if (best.starts_with("AVX3")) GTEST_SKIP() << "the CPU has all";
  const Outcome outcome = bench_convolution("avx512");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.out.find("FOVEA_ISA: this CPU or this build does not have avx512"),
            std::string::npos)
      << outcome.out;
}

}  // namespace
}  // namespace fovea::cli_test
