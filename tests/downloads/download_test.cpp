#include "fovea/downloads/download.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "downloads/http_server.h"
#include "error_text.h"
#include "fovea/core/files.h"
#include "fovea/core/sha256.h"
#include "temporary_folder.h"

namespace fovea {
namespace {

std::string sha256(const std::string& text) {
  Sha256 hash;
  hash.add(std::as_bytes(std::span(text)));
  return hash.finish();
}

std::string some_bytes(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += static_cast<char>(i * i % 251);
  return text;
}

class Download : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_download()) GTEST_SKIP() << "no libcurl";
  }
  ~Download() override { unsetenv("FOVEA_MIRROR"); }

  /// Serves `page` as https://host.example/a/file.bin.
  HttpServer& serve(HttpServer::Page page) {
    server_ = std::make_unique<HttpServer>(
        std::map<std::string, HttpServer::Page>{{"/host.example/a/file.bin", std::move(page)}});
    setenv("FOVEA_MIRROR", (server_->address() + "/").c_str(), 1);
    return *server_;
  }
  RemoteFile file(const std::string& contents) const {
    return {"https://host.example/a/file.bin", "file.bin", sha256(contents),
            static_cast<int64_t>(contents.size())};
  }
  std::string contents() { return read_text(folder_ / "file.bin", ErrorKind::data); }
  bool exists(const std::string& name) { return std::filesystem::exists(folder_ / name); }

  TemporaryFolder folder_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(Download, WritesTheFileOnceItsChecksumIsRightAndKeepsIt) {
  const std::string text = some_bytes(300'000);
  HttpServer& server = serve({.body = text});
  int64_t last = 0;
  const DownloadOptions options{.progress = [&](int64_t done, std::optional<int64_t> all) {
    EXPECT_EQ(all, 300'000);
    last = done;
  }};
  EXPECT_EQ(download(file(text), folder_ / "", options), folder_ / "file.bin");
  EXPECT_EQ(contents(), text);
  EXPECT_EQ(last, 300'000);
  EXPECT_FALSE(exists("file.bin.part"));
  download(file(text), folder_ / "");
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Download, AnInterruptedOneContinuesWhereItStopped) {
  const std::string text = some_bytes(100'000);
  HttpServer& server = serve({.body = text, .break_after = 40'000});
  expect_error(ErrorKind::data,
               "the download failed: ", [&] { download(file(text), folder_ / ""); });
  EXPECT_TRUE(exists("file.bin.part"));
  EXPECT_FALSE(exists("file.bin"));
  download(file(text), folder_ / "");
  EXPECT_EQ(contents(), text);
  EXPECT_EQ(server.requests(), (std::vector<std::string>{"/host.example/a/file.bin",
                                                         "/host.example/a/file.bin bytes=40000-"}));
}

TEST_F(Download, AServerWithoutRangesSendsEverythingAgain) {
  const std::string text = some_bytes(50'000);
  serve({.body = text, .ranges = false});
  put(folder_ / "file.bin.part", text.substr(0, 1000));
  download(file(text), folder_ / "");
  EXPECT_EQ(contents(), text);
}

TEST_F(Download, ACompletePartIsOnlyChecked) {
  const std::string text = some_bytes(5000);
  serve({.body = text});
  put(folder_ / "file.bin.part", text);
  download(file(text), folder_ / "");
  EXPECT_EQ(contents(), text);
}

TEST_F(Download, AnotherChecksumIsAnErrorAndBeginsAnew) {
  const std::string text = some_bytes(5000);
  serve({.body = text});
  put(folder_ / "file.bin.part", "damaged");
  const std::string error =
      error_text(ErrorKind::data, [&] { download(file(text), folder_ / ""); });
  EXPECT_TRUE(
      error.starts_with("file.bin: the download has another checksum than published\n"
                        "  expected SHA-256 " +
                        sha256(text) + "\n  found    "))
      << error;
  EXPECT_FALSE(exists("file.bin"));
  download(file(text), folder_ / "");
  EXPECT_EQ(contents(), text);
}

TEST_F(Download, MoreThanThePublishedSizeIsRefused) {
  const std::string text = some_bytes(5000);
  serve({.body = text + "more"});
  expect_error(ErrorKind::data,
               "the server sends more than the published file has\n  expected 5000 bytes",
               [&] { download(file(text), folder_ / ""); });
}

TEST_F(Download, WhatCannotBeHadSaysWhatToPutWhere) {
  HttpServer& server = serve({.body = "x"});
  const RemoteFile other{"https://host.example/b.gz", "b.gz", "00000000"};
  EXPECT_EQ(error_text(ErrorKind::data, [&] { download(other, folder_ / "new"); }),
            "the download failed: The requested URL returned error: 404\n"
            "  from    " +
                server.address() +
                "/host.example/b.gz\n"
                "  url     https://host.example/b.gz\n"
                "  try     put b.gz (https://host.example/b.gz) into " +
                (folder_ / "new").string());
}

TEST_F(Download, AllMissingFilesAreNamedAtOnce) {
  const std::string text = some_bytes(100);
  serve({.body = text});
  const RemoteFile b{"https://host.example/b.gz", "b.gz", "00000000"},
      c{"https://host.example/c.gz", "c.gz", "00000000"},
      d{"https://host.example/d.gz", "d.gz", "0"};
  put(folder_ / "c.gz", "x");
  const std::string error = error_text(ErrorKind::data, [&] {
    download(std::vector{file(text), b, c, d}, folder_ / "");
  });
  const std::string into = " into " + (folder_ / "").string();
  EXPECT_NE(error.find("  url     https://host.example/b.gz\n"
                       "  try     put b.gz (https://host.example/b.gz)" +
                       into +
                       "\n"
                       "  try     put d.gz (https://host.example/d.gz)" +
                       into),
            std::string::npos)
      << error;
  EXPECT_EQ(contents(), text);
}

TEST_F(Download, AStopRequestKeepsWhatIsThere) {
  serve({.body = some_bytes(5000)});
  std::stop_source stop;
  stop.request_stop();
  expect_error(ErrorKind::data, "the download was stopped; the same command continues it", [&] {
    download(file(some_bytes(5000)), folder_ / "", {.progress = {}, .stop = stop.get_token()});
  });
}

}  // namespace
}  // namespace fovea
