// Downloads from the command line: what they say where there is nothing to be had.
#include <gtest/gtest.h>

#include "fovea/downloads/download.h"
#include "program.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

/// Nothing answers on this port.
Surroundings offline(const TemporaryFolder& folder) {
  return {.set = {"FOVEA_MIRROR=http://127.0.0.1:9", "FOVEA_DATA=" + (folder / "data").string(),
                  "FOVEA_WEIGHTS=" + (folder / "weights").string()}};
}

TEST(Downloads, OfflineTheMessageSaysWhichFileToPutWhere) {
  const TemporaryFolder folder;
  for (const Arguments& arguments :
       {Arguments{"weights", "get", "resnet18"},
        {"train", "--model", "resnet18", "--pretrained", "--data", "fashion-mnist"},
        {"predict", "--model", "resnet18", "--pretrained", "x.png"}}) {
    const Outcome outcome = fovea(arguments, offline(folder));
    EXPECT_EQ(outcome.code, 3);
    EXPECT_NE(outcome.err.find("try     put resnet18-f37072fd.pth "
                               "(https://download.pytorch.org/models/resnet18-f37072fd.pth) into " +
                               (folder / "weights").string()),
              std::string::npos)
        << outcome.err;
  }
  const Outcome data = fovea({"data", "get", "cifar10"}, offline(folder));
  EXPECT_EQ(data.code, 3);
  EXPECT_NE(data.err.find("put cifar-10-binary.tar.gz "
                          "(https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz) into " +
                          (folder / "data/cifar10").string()),
            std::string::npos)
      << data.err;
}

// libcurl is loaded when it is needed: where it is missing or broken, a download is refused like
// one without a network.
TEST(Downloads, WithoutLibcurlTheMessageSaysSoAndWhichFileToPutWhere) {
  const TemporaryFolder folder;
  put(folder / "libcurl.so.4", "no library");
  Surroundings surroundings = offline(folder);
  surroundings.set.push_back("LD_LIBRARY_PATH=" + (folder / "").string());
  const Outcome outcome = fovea({"weights", "get", "resnet18"}, surroundings);
  EXPECT_EQ(outcome.code, 3);
  for (const char* words : {"resnet18-f37072fd.pth is not there, and without libcurl it cannot be "
                            "downloaded",
                            "try     put resnet18-f37072fd.pth "})
    EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
}

TEST(Downloads, WhatIsThereIsNotDownloaded) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "weights");
  put(folder / "weights/resnet50-0676ba61.pth", "x");
  const Outcome outcome = fovea({"weights", "get", "resnet50-0676ba61", "--json"}, offline(folder));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json().at("path"), (folder / "weights/resnet50-0676ba61.pth").string());
}

TEST(Downloads, UnknownNamesAndTwoKindsOfWeightsAreUsageErrors) {
  EXPECT_EQ(fovea({"weights", "get", "resnet19"}).code, 2);
  EXPECT_EQ(fovea({"weights", "get"}).code, 2);
  EXPECT_EQ(fovea({"weights", "get", "efficientnet_lite0"}).code, 2);
  EXPECT_EQ(fovea({"data", "get", "imagenet"}).code, 2);
  const Outcome both =
      fovea({"train", "--model", "resnet18", "--pretrained", "--weights", "w.pth"});
  EXPECT_EQ(both.code, 2);
  EXPECT_NE(both.err.find("--pretrained and --weights cannot be given together"),
            std::string::npos);
  EXPECT_EQ(fovea({"weights", "list", "resnet50", "--json"}).json().size(), 2u);
}

}  // namespace
}  // namespace fovea::cli_test
