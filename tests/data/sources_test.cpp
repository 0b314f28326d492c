#include "fovea/data/sources.h"

#include "data/helpers.h"
#include "data/tar_bytes.h"

namespace fovea::data {
namespace {

TEST(Sources, AnArchiveThatIsThereIsUnpackedAndTheDataFound) {
  const TempFolder folder;
  const std::string tar = tar_member("cifar-10-batches-bin/", "", '5') +
                          tar_member("cifar-10-batches-bin/data_batch_1.bin", "batch") +
                          tar_member("cifar-10-batches-bin/../escape.txt", "x") +
                          tar_member("elsewhere/readme.html", "x") + tar_end();
  folder.write("cifar-10-binary.tar.gz", gzip(Bytes(tar.begin(), tar.end())));
  const auto target = get("cifar10", folder.path());
  EXPECT_EQ(target, folder / "cifar-10-batches-bin");
  EXPECT_TRUE(std::filesystem::exists(target / "data_batch_1.bin"));
  EXPECT_FALSE(std::filesystem::exists(folder / "escape.txt"));
  EXPECT_FALSE(std::filesystem::exists(target / "readme.html"));
  EXPECT_FALSE(std::filesystem::exists(folder / "cifar-10-binary.tar.gz"));
  EXPECT_EQ(get("cifar10", folder.path()), target);
}

TEST(Sources, ADamagedArchiveLeavesNothingThatLooksComplete) {
  const TempFolder folder;
  const std::string tar = tar_member("cifar-10-batches-bin/data_batch_1.bin", "batch");
  const Bytes packed = gzip(Bytes(tar.begin(), tar.end()));
  folder.write("cifar-10-binary.tar.gz", cut(packed, packed.size() / 2));
  EXPECT_EQ(error_of([&] { get("cifar10", folder.path()); }).kind(), ErrorKind::data);
  EXPECT_FALSE(std::filesystem::exists(folder / "cifar-10-batches-bin"));
}

TEST(Sources, EveryFileHasAChecksumAndASize) {
  for (const Source& source : sources()) {
    for (const RemoteFile& file : source.files) {
      EXPECT_EQ(file.sha256.size(), 64u) << file.url;
      EXPECT_GT(file.bytes.value_or(0), 0) << file.url;
      EXPECT_TRUE(file.url.ends_with("/" + file.name)) << file.url;
    }
  }
  EXPECT_EQ(std::string(error_of([] { get("cifar", {}); }).what()),
            "unknown data set to download \"cifar\"\n"
            "  nearest cifar10, cifar100\n"
            "  known   cifar10, cifar100, fashion-mnist, mnist, kmnist");
}

}  // namespace
}  // namespace fovea::data
