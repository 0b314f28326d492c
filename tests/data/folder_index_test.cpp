#include "fovea/data/folder_index.h"

#include <chrono>
#include <thread>

#include "data/helpers.h"
#include "fovea/data/folder.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

/// As if the names in the folder had last changed `hours` ago.
void age(const fs::path& folder, int hours) {
  fs::last_write_time(folder, fs::file_time_type::clock::now() - std::chrono::hours(hours));
}

std::vector<std::string> names_of(FolderIndex& index, const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& [name, is_folder] : index.list(folder))
    names.push_back(name + (is_folder ? "/" : ""));
  return names;
}

class FolderIndexes : public testing::Test {
 protected:
  FolderIndexes() {
    root_.write("b/2.png", {});
    root_.write("b/1.png", {});
    root_.write("a/x.png", {});
    root_.write(".hidden", {});
    for (const char* folder : {"a", "b", "."}) age(root_ / folder, 2);
  }

  std::string written() {
    FolderIndex index(root_.path());
    for (const char* folder : {"", "a", "b"}) (void)index.list(root_ / folder);
    return index.text();
  }

  TempFolder root_;
};

TEST_F(FolderIndexes, NamesComeFromTheTextWithoutListing) {
  std::string text = written();
  text.replace(text.find("1.png"), 5, "7.png");  // shows where the names come from
  FolderIndex index(root_.path(), text);
  EXPECT_EQ(names_of(index, root_.path()), (std::vector<std::string>{"a/", "b/"}));
  EXPECT_EQ(names_of(index, root_ / "b"), (std::vector<std::string>{"7.png", "2.png"}));
  EXPECT_EQ(names_of(index, root_ / "a"), (std::vector<std::string>{"x.png"}));
  EXPECT_EQ(index.note(), "");
  EXPECT_EQ(index.text(), text);
}

TEST_F(FolderIndexes, AFolderThatChangedIsListedAnew) {
  const std::string text = written();
  root_.write("b/3.png", {});
  age(root_ / "b", 1);
  FolderIndex index(root_.path(), text);
  EXPECT_EQ(names_of(index, root_ / "a"), (std::vector<std::string>{"x.png"}));
  EXPECT_EQ(names_of(index, root_ / "b"), (std::vector<std::string>{"1.png", "2.png", "3.png"}));
  EXPECT_EQ(index.note(),
            "folders.index is out of date for 1 of 3 folders, which were listed anew");
  EXPECT_NE(index.text(), text);
}

TEST_F(FolderIndexes, AChangeIsNoticedEvenIfTheTimeOfModificationWasRestored) {
  const std::string text = written();
  const auto time = fs::last_write_time(root_ / "b");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // a file system's clock has steps
  fs::rename(root_ / "b/1.png", root_ / "b/9.png");
  fs::last_write_time(root_ / "b", time);
  FolderIndex index(root_.path(), text);
  EXPECT_EQ(names_of(index, root_ / "b"), (std::vector<std::string>{"2.png", "9.png"}));
}

TEST_F(FolderIndexes, AddedRemovedAndRenamedFilesAreNoticed) {
  const std::string text = written();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  fs::remove(root_ / "a/x.png");
  fs::rename(root_ / "b/1.png", root_ / "b/9.png");
  root_.write("c/1.png", {});
  FolderIndex index(root_.path(), text);
  EXPECT_EQ(names_of(index, root_.path()), (std::vector<std::string>{"a/", "b/", "c/"}));
  EXPECT_EQ(names_of(index, root_ / "a"), std::vector<std::string>());
  EXPECT_EQ(names_of(index, root_ / "b"), (std::vector<std::string>{"2.png", "9.png"}));
  EXPECT_EQ(names_of(index, root_ / "c"), (std::vector<std::string>{"1.png"}));
}

// Whether a link leads to a folder can change without a change of the names.
TEST_F(FolderIndexes, AFolderWithLinksToFoldersIsNotKept) {
  fs::create_symlink(root_ / "a", root_ / "b/link");
  age(root_ / "b", 2);
  const std::string text = written();
  EXPECT_NE(text.find("x.png"), std::string::npos);
  EXPECT_EQ(text.find("link"), std::string::npos);
}

TEST_F(FolderIndexes, TheSameFolderIsFoundHoweverItIsWritten) {
  FolderIndex index(root_ / "", written());
  EXPECT_EQ(names_of(index, root_ / "a/../b/"), (std::vector<std::string>{"1.png", "2.png"}));
  EXPECT_EQ(index.note(), "");
}

TEST_F(FolderIndexes, AFolderThatJustChangedIsNotWritten) {
  root_.write("b/3.png", {});
  const std::string text = written();
  EXPECT_NE(text.find("x.png"), std::string::npos);
  EXPECT_EQ(text.find("3.png"), std::string::npos);
}

TEST_F(FolderIndexes, WhatIsNoIndexOfTheseFoldersIsNotUsed) {
  const std::string text = written(),
                    note = "folders.index cannot be used: folders were listed anew";
  std::vector<std::string> bad{"nonsense",           text.substr(0, text.size() - 8),
                               text + "1 -1 x\n",    text + "12\n",
                               text + "1 99 x\ny\n", text + "1 1 x\na/b\n"};
  bad.push_back(text);
  bad.back().replace(text.find(root_.path().string()), 4, "/var");
  for (const std::string& known : bad) {
    FolderIndex index(root_.path(), known);
    EXPECT_EQ(names_of(index, root_ / "b"), (std::vector<std::string>{"1.png", "2.png"}));
    EXPECT_EQ(index.note(), note) << known;
    EXPECT_EQ(index.text().find("/a\n"), std::string::npos);
  }
}

}  // namespace
}  // namespace fovea::data
