#include "fovea/data/text_file.h"

#include "data/helpers.h"
#include "error_text.h"

namespace fovea::data {
namespace {

class TextFile : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& contents) const {
    return folder_.write("a.txt", Bytes(contents.begin(), contents.end()));
  }
  TempFolder folder_;
};

// Editors on Windows put the mark of the byte order first, where it would become part of a name.
TEST_F(TextFile, HasNoMarkOfItsByteOrder) {
  EXPECT_EQ(read_text_file(file("\xef\xbb\xbf"
                                "cat\r\n")),
            "cat\r\n");
  const std::string wide(
      "\xff\xfe"
      "c\0a\0t\0",
      8);
  EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)read_text_file(file(wide)); }),
            (folder_ / "a.txt").string() +
                ": is no text in UTF-8: it has bytes of zero\n  try     the file stored as UTF-8, "
                "not as UTF-16");
}

TEST_F(TextFile, ThatIsTooLongOrNoFileIsRefused) {
  EXPECT_EQ(error_text(ErrorKind::data, [&] { (void)read_text_file(file("12345"), 4); }),
            (folder_ / "a.txt").string() + " has 5 bytes, at most 4 are read");
  EXPECT_EQ(error_text(ErrorKind::data, [] { (void)read_text_file("/dev/zero"); }),
            "/dev/zero: is a pipe or a device, not a file");
}

TEST_F(TextFile, LinesEndAsOnAnySystem) {
  std::vector<std::string> lines;
  for_each_line("a\r\n\nb\r\r\nc", [&](std::string_view line, size_t number) {
    lines.push_back(std::to_string(number) + ":" + std::string(line));
  });
  EXPECT_EQ(lines, (std::vector<std::string>{"1:a", "2:", "3:b\r", "4:c"}));
}

TEST_F(TextFile, NamesHaveNoControlCharacters) {
  EXPECT_TRUE(is_plain("caf\xc3\xa9 au lait", 20));
  for (const char* text : {"", "a\x1b[31m", "a\tb", "a\nb", "a\x7f", "twenty-one characters"})
    EXPECT_FALSE(is_plain(text, 20)) << text;
}

}  // namespace
}  // namespace fovea::data
