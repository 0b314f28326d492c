#include "fovea/core/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "error_text.h"
#include "temporary_folder.h"

namespace {
std::atomic<int> flushes = 0;  // several threads write files at once
}

/// Counts what waits for the disk: calls of the library come here too.
extern "C" int fsync(int file) {
  ++flushes;
  return static_cast<int>(::syscall(SYS_fsync, file));
}

namespace fovea {
namespace {

using std::filesystem::path;

struct stat stat_of(const path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

int files_in(const path& folder) {
  return static_cast<int>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

std::string text_of(const path& path) { return read_text(path, ErrorKind::data); }

TEST(Files, AFailedWriteLeavesOnlyTheOldFile) {
  TemporaryFolder folder;
  replace_file(folder / "a", "old");
  EXPECT_THROW(replace_file(folder / "a",
                            [](const Sink& sink) {
                              sink(std::as_bytes(std::span("half", 4)));
                              throw Error(ErrorKind::io, "disk full");
                            }),
               Error);
  EXPECT_EQ(text_of(folder / "a"), "old");
  EXPECT_EQ(files_in(folder / ""), 1);
}

TEST(Files, WhatCanBeMadeAgainDoesNotWaitForTheDisk) {
  TemporaryFolder folder;
  flushes = 0;
  replace_file(folder / "weights", "precious");
  EXPECT_EQ(flushes, 2);  // the file, and its name in the folder
  replace_file(folder / "picture", "drawn", Flush::later);
  EXPECT_EQ(flushes, 2);
  EXPECT_EQ(text_of(folder / "picture"), "drawn");
  EXPECT_EQ(files_in(folder / ""), 2);
}

TEST(Files, WritingToADeviceLeavesItADevice) {
  replace_file("/dev/null", "gone");
  EXPECT_TRUE(S_ISCHR(stat_of("/dev/null").st_mode));
  expect_error(ErrorKind::io, "cannot write /dev/full: No space left on device\n  try     free",
               [] { replace_file("/dev/full", "text"); });
}

TEST(Files, AFifoIsWrittenToAndReadFrom) {
  TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  const std::string text(300000, 'x');
  std::string got;
  std::jthread reader([&] { got = text_of(folder / "fifo"); });
  replace_file(folder / "fifo", text);
  reader.join();
  EXPECT_EQ(got, text);
  EXPECT_TRUE(S_ISFIFO(stat_of(folder / "fifo").st_mode));
}

TEST(Files, SymbolicLinksAreFollowedEvenToAFileThatDoesNotExistYet) {
  TemporaryFolder folder;
  std::filesystem::create_directory(folder / "there");
  std::filesystem::create_symlink("there/file", folder / "link");
  std::filesystem::create_symlink("link", folder / "link2");
  for (const char* text : {"first", "second"}) {
    replace_file(folder / "link2", text);
    EXPECT_TRUE(S_ISLNK(stat_of(folder / "link").st_mode));
    EXPECT_TRUE(S_ISLNK(stat_of(folder / "link2").st_mode));
    EXPECT_EQ(text_of(folder / "there/file"), text);
  }
  std::filesystem::create_symlink("circle", folder / "circle");
  expect_error(ErrorKind::io, "check the symbolic links",
               [&] { replace_file(folder / "circle", "text"); });
}

TEST(Files, APrivateFileStaysPrivateAndANewOneFollowsTheUmask) {
  TemporaryFolder folder;
  put(folder / "private", "old");
  ASSERT_EQ(::chmod((folder / "private").c_str(), 0640), 0);
  const mode_t before = ::umask(027);
  replace_file(folder / "private", "new");
  replace_file(folder / "new", "new");
  ::umask(before);
  EXPECT_EQ(stat_of(folder / "private").st_mode & 07777, 0640u);
  EXPECT_EQ(stat_of(folder / "new").st_mode & 07777, 0640u);
  ASSERT_EQ(::chmod((folder / "private").c_str(), 0600), 0);
  replace_file(folder / "private", "newer");
  EXPECT_EQ(stat_of(folder / "private").st_mode & 07777, 0600u);
}

TEST(Files, RootWritesAUsersFileWithoutTakingItOver) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  TemporaryFolder folder;
  put(folder / "users", "old");
  ASSERT_EQ(::chown((folder / "users").c_str(), 1234, 4321), 0);
  replace_file(folder / "users", "new");
  EXPECT_EQ(stat_of(folder / "users").st_uid, 1234u);
  EXPECT_EQ(stat_of(folder / "users").st_gid, 4321u);
}

TEST(Files, AFileThatMayNotBeWrittenIsNotReplaced) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write any file";
  TemporaryFolder folder;
  put(folder / "a", "old");
  ASSERT_EQ(::chmod((folder / "a").c_str(), 0444), 0);
  expect_error(ErrorKind::io, "Permission denied", [&] { replace_file(folder / "a", "new"); });
  EXPECT_EQ(text_of(folder / "a"), "old");
}

TEST(Files, TheLongestNamesThatTheFileSystemAllowsAreWritten) {
  TemporaryFolder folder;
  const std::string name(255, 'a');
  for (const char* text : {"first", "second"}) {
    replace_file(folder / name, text);
    EXPECT_EQ(text_of(folder / name), text);
  }
  expect_error(ErrorKind::io, "a shorter name", [&] { replace_file(folder / (name + "a"), "x"); });
}

TEST(Files, SeveralWritersAtOnceLeaveTheFileOfOneOfThem) {
  TemporaryFolder folder;
  {
    std::vector<std::jthread> writers;
    for (char c = 'a'; c < 'e'; ++c) {
      writers.emplace_back([&, c] { replace_file(folder / "x", std::string(100000, c)); });
    }
  }
  const std::string text = text_of(folder / "x");
  EXPECT_EQ(text, std::string(100000, text[0]));
  EXPECT_EQ(files_in(folder / ""), 1);
}

TEST(Files, ErrorsSayWhatToTry) {
  TemporaryFolder folder;
  put(folder / "file", "text");
  const auto read = [&](const std::string& name, const std::string& part) {
    expect_error(ErrorKind::model, part, [&] { read_file(folder / name, ErrorKind::model); });
  };
  read("none",
       "No such file or directory\n  try     check the path; there is no file or folder of that "
       "name");
  read("", "Is a directory\n  try     a file in that folder");
  read("file/x", "Not a directory\n  try     check the path; a part of it is a file");
  expect_error(ErrorKind::io, "Is a directory", [&] { replace_file(folder / "", "x"); });
  expect_error(ErrorKind::io,
               (folder / "none/x").string() +
                   ": its folder does not exist\n  try     check the path, or make the folder " +
                   (folder / "none").string(),
               [&] { replace_file(folder / "none/x", "y"); });
}

TEST(Files, AFileTruncatedAfterItWasReadKeepsItsContents) {
  TemporaryFolder folder;
  put(folder / "a", std::string(100000, 'x'));
  const FileBytes file = read_file(folder / "a", ErrorKind::data);
  std::filesystem::resize_file(folder / "a", 0);  // with a mapped file, the next line is a SIGBUS
  EXPECT_EQ(file.bytes[99999], std::byte{'x'});
}

TEST(Files, AHugeFileWithHolesIsRefusedBeforeItIsRead) {
  TemporaryFolder folder;
  put(folder / "huge", "");
  std::filesystem::resize_file(folder / "huge", uintmax_t{1} << 43);
  expect_error(ErrorKind::memory, "it has 8796093022208 bytes",
               [&] { read_file(folder / "huge", ErrorKind::data); });
  expect_error(ErrorKind::data, "has 8796093022208 bytes, at most 1000 are read",
               [&] { read_file(folder / "huge", ErrorKind::data, 1000); });
}

TEST(Files, AnEndlessStreamIsReadUpToTheLimit) {
  expect_error(ErrorKind::data, "/dev/zero has more than 100000 bytes, at most 100000 are read",
               [] { read_file("/dev/zero", ErrorKind::data, 100000); });
}

TEST(Files, DescriptorsAreReadAndWrittenAtTheirPosition) {
  TemporaryFolder folder;
  put(folder / "a", "0123456789");
  const Descriptor file(::open((folder / "a").c_str(), O_RDWR));
  ASSERT_EQ(::lseek(file.get(), 4, SEEK_SET), 4);
  const path name = "/dev/fd/" + std::to_string(file.get());
  EXPECT_TRUE(is_stream(name));
  EXPECT_EQ(text_of(name), "456789");
  ASSERT_EQ(::lseek(file.get(), 2, SEEK_SET), 2);
  replace_file(name, "ab");
  EXPECT_EQ(text_of(folder / "a"), "01ab456789");
}

// A folder that could not be looked into was taken for one that is not there.
TEST(Files, WhatCannotBeSeenIsNotTakenForMissing) {
  TemporaryFolder folder;
  put(folder / "a", "0123456789");
  const std::optional<FileInfo> file = file_info(folder / "a", ErrorKind::data);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->size, 10u);
  EXPECT_FALSE(file->folder);
  EXPECT_TRUE(is_folder(folder / "", ErrorKind::data));
  EXPECT_FALSE(exists(folder / "b", ErrorKind::data));
  EXPECT_FALSE(exists(folder / "a" / "b", ErrorKind::data));
  std::filesystem::create_symlink("c", folder / "c");
  expect_error(ErrorKind::model, "cannot read " + (folder / "c").string() + ": Too many levels",
               [&] { (void)exists(folder / "c", ErrorKind::model); });
}

TEST(Files, TemporariesOfKilledProcessesAreRemovedAndThoseOfOthersStay) {
  TemporaryFolder folder;
  pid_t ended = ::fork();
  if (ended == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(ended, nullptr, 0), ended);
  const std::string dead = ".fovea-" + std::to_string(ended) + "-0.tmp",
                    alive = ".fovea-" + std::to_string(::getppid()) + "-7.tmp";
  for (const std::string& name : {dead, alive, dead + "2", std::string(".fovea-x-0.tmp")})
    put(folder / name, "");
  remove_abandoned(folder / "");
  EXPECT_FALSE(std::filesystem::exists(folder / dead));
  EXPECT_EQ(files_in(folder / ""), 3);
  remove_abandoned(folder / "missing");
}

}  // namespace
}  // namespace fovea
