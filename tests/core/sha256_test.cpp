#include "fovea/core/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace fovea {
namespace {

std::string sha256(const std::string& text, size_t part) {
  Sha256 hash;
  for (size_t at = 0; at < text.size(); at += part)
    hash.add(std::as_bytes(std::span(text)).subspan(at, std::min(part, text.size() - at)));
  return hash.finish();
}

// The examples of FIPS 180-4, and lengths around a block.
TEST(Sha256, IsThatOfTheStandardHoweverItIsCut) {
  const std::string empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  EXPECT_EQ(sha256("", 1), empty);
  for (const size_t part : {1, 7, 63, 64, 65, 1000000}) {
    EXPECT_EQ(sha256("abc", part),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", part),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(sha256(std::string(64, 'a'), part),
              "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    EXPECT_EQ(sha256(std::string(1000000, 'a'), part),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
}

}  // namespace
}  // namespace fovea
