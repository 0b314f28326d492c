#include "fovea/runtime/array_pool.h"

#include <gtest/gtest.h>
#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <vector>

namespace fovea {
namespace {

constexpr size_t mib = size_t{1} << 20;

Type bytes_of(size_t size) { return {DType::u8, {static_cast<int64_t>(size)}}; }

bool holds(const Array& array, uint8_t value) {
  return std::ranges::all_of(array.data<uint8_t>(), [&](uint8_t v) { return v == value; });
}

TEST(ArrayPool, ArraysAreAlignedAndDoNotOverlap) {
  ArrayPool pool;
  std::vector<Array> arrays;
  std::set<const std::byte*> places;
  for (int round = 0; round < 4; ++round) {
    for (const size_t size :
         {0ul, 1ul, 63ul, 64ul, 65ul, 5000ul, 70'000ul, mib, 7 * mib, 9 * mib}) {
      Array array = pool.make(bytes_of(size));
      std::memset(array.raw(), static_cast<int>(arrays.size()), size);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(array.raw()) % 64, 0u);
      EXPECT_TRUE(places.insert(array.raw()).second) << "also empty arrays have their own place";
      arrays.push_back(array);
    }
  }
  for (size_t i = 0; i < arrays.size(); ++i) EXPECT_TRUE(holds(arrays[i], static_cast<uint8_t>(i)));
}

TEST(ArrayPool, TakesLittleMoreThanTheArrays) {
  ArrayPool pool;
  EXPECT_EQ(pool.bytes(), 0u);
  std::vector<Array> arrays{pool.make({DType::f32, {}})};
  EXPECT_EQ(pool.bytes(), 64u << 10);
  for (int i = 0; i < 20'000; ++i) arrays.push_back(pool.make({DType::f32, {10}}));
  EXPECT_LE(pool.bytes(), 2 * 20'000 * 64u);
  const size_t before = pool.bytes();
  arrays.push_back(pool.make(bytes_of(100 * mib)));
  EXPECT_EQ(pool.bytes(), before) << "a large array has its own memory, freed with it";
}

TEST(ArrayPool, UsesTheMemoryOfDroppedArraysAgain) {
  // A training that freezes and thaws layers removes gradients and makes them again, for hours.
  ArrayPool pool;
  constexpr size_t sizes[] = {40, 300'000, 4096, 1'000'000, 64, 77'000};
  std::vector<Array> arrays;
  for (int i = 0; i < 60; ++i) arrays.push_back(pool.make(bytes_of(sizes[i % 6])));
  const size_t before = pool.bytes();
  for (int round = 0; round < 100; ++round) {
    for (size_t i = static_cast<size_t>(round) % 2; i < arrays.size(); i += 2) arrays[i] = Array();
    for (size_t i = 0; i < arrays.size(); ++i) {
      if (arrays[i].numel() == 0) arrays[i] = pool.make(bytes_of(sizes[i % 6]));
    }
  }
  EXPECT_EQ(pool.bytes(), before);
}

TEST(ArrayPool, DroppedNeighboursMakeRoomForALargerArray) {
  ArrayPool pool;
  std::vector<Array> arrays;
  for (int i = 0; i < 100; ++i) arrays.push_back(pool.make(bytes_of(1000)));
  const size_t before = pool.bytes();
  ASSERT_EQ(before, 128u << 10);  // two chunks
  for (const size_t step : {2u, 1u}) {
    for (size_t i = 0; i < arrays.size(); i += step) arrays[i] = Array();
  }
  const Array one = pool.make(bytes_of(65'000)), two = pool.make(bytes_of(65'000));
  EXPECT_EQ(pool.bytes(), before);
}

TEST(ArrayPool, HandlesOutliveIt) {
  std::optional<ArrayPool> pool(std::in_place);
  Array kept = pool->make(bytes_of(100));
  std::memset(kept.raw(), 7, 100);
  const Array view = kept.reshaped({10, 10});
  pool.reset();
  kept = Array();
  EXPECT_TRUE(holds(view, 7));
}

TEST(ArrayPool, AddressSanitizerSeesWhatIsOutsideOfArrays) {
#ifndef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "only under AddressSanitizer";
#else
  ArrayPool pool;
  for (const size_t size : {4ul, 64ul, 128ul, 1000ul}) {  // without gaps, 64 would touch the next
    Array array = pool.make(bytes_of(size)), next = pool.make(bytes_of(size));
    const std::byte* data = array.raw();
    EXPECT_EQ(__asan_region_is_poisoned(array.raw(), size), nullptr);
    EXPECT_TRUE(__asan_address_is_poisoned(data + size));
    EXPECT_TRUE(__asan_address_is_poisoned(next.raw() - 1));
    array = Array();
    EXPECT_TRUE(__asan_address_is_poisoned(data)) << "its last handle is gone";
    EXPECT_EQ(__asan_region_is_poisoned(next.raw(), size), nullptr);
  }
#endif
}

}  // namespace
}  // namespace fovea
