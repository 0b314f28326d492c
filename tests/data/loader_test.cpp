#include "fovea/data/loader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <numeric>
#include <thread>

#include "data/helpers.h"
#include "fovea/core/parallel.h"

namespace fovea::data {
namespace {

/// All bytes of sample i, and its label, are i; it can be slow, or fail at one sample.
class Numbers : public Dataset {
 public:
  explicit Numbers(int64_t n, int64_t fail_at = -1, int slow_ms = 0)
      : size_(n), fail_at_(fail_at), slow_ms_(slow_ms) {}
  int64_t size() const override { return size_; }
  std::optional<Type> input() const override { return Type{DType::u8, {2, 2, 2}}; }
  const Targets& targets() const override { return targets_; }
  Sample sample(int64_t i) const override {
    if (slow_ms_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(slow_ms_));
    if (i == fail_at_) throw Error(ErrorKind::data, "sample " + std::to_string(i) + " is broken");
    Sample sample{Array(DType::u8, {2, 2, 2}), Array::full(DType::i64, Shape{}, double(i))};
    std::memcpy(sample.input.raw(), &i, sizeof i);
    ++reads;
    return sample;
  }

  mutable std::atomic<int64_t> reads{0};

 private:
  int64_t size_;
  int64_t fail_at_;
  int slow_ms_;
  Targets targets_ = class_targets({});
};

/// The rest of an epoch: the bytes of each batch.
std::vector<std::string> rest(Loader& loader) {
  std::vector<std::string> batches;
  while (auto batch = loader.next()) {
    const auto pixels = batch->inputs.data<uint8_t>();
    std::string bytes(pixels.begin(), pixels.end());
    for (int64_t label : batch->targets.data<int64_t>()) bytes += static_cast<char>(label);
    batches.push_back(bytes);
  }
  return batches;
}

std::vector<int64_t> labels_of(Loader& loader) {
  std::vector<int64_t> labels;
  while (auto batch = loader.next()) {
    const auto part = batch->targets.data<int64_t>();
    labels.insert(labels.end(), part.begin(), part.end());
  }
  return labels;
}

std::vector<int64_t> epoch_labels(Loader& loader, int64_t epoch) {
  loader.start(epoch);
  return labels_of(loader);
}

TEST(Loader, DropLastLeavesOutAnIncompleteBatch) {
  for (int workers : {0, 2}) {
    LoaderOptions options{.batch = 4, .drop_last = true, .workers = workers};
    Loader loader(random_set(11, 2, 2, 1), options);
    EXPECT_EQ(loader.batches(), 2);
    loader.start(0);
    EXPECT_EQ(labels_of(loader).size(), 8u);
    loader.start(0, 2);
    EXPECT_FALSE(loader.next());
    Loader exact(random_set(8, 2, 2, 1), options), none(random_set(3, 2, 2, 1), options);
    EXPECT_EQ(exact.batches(), 2);
    EXPECT_EQ(none.batches(), 0);  // as in PyTorch's DataLoader
    EXPECT_TRUE(epoch_labels(none, 0).empty());
  }
}

TEST(Loader, BatchesDoNotDependOnWorkersOrPrefetch) {
  Random random(11, "loaders");
  for (int round = 0; round < 12; ++round) {
    const auto n = static_cast<int64_t>(random.below(90));
    const auto set = random_set(n, 9, 7, round % 2 == 0 ? 1 : 3);
    LoaderOptions options{.batch = 1 + static_cast<int64_t>(random.below(20)),
                          .sampling = round % 3 != 0 ? Sampling::shuffled : Sampling::in_order,
                          .seed = random.bits(),
                          .augment = Augmentation::parse(round % 4 == 0 ? "none" : "standard")};
    Loader reference(set, options);
    reference.start(round);
    const std::vector<std::string> expected = rest(reference);
    for (int workers : {1, 3}) {
      for (int prefetch : {1, 2, 5}) {
        options.workers = workers;
        options.prefetch = prefetch;
        Loader loader(set, options);
        loader.start(round);
        EXPECT_EQ(rest(loader), expected) << workers << " workers, round " << round;
      }
    }
  }
}

TEST(Loader, EverySampleComesOnceAnEpoch) {
  for (int workers : {0, 2}) {
    Loader loader(std::make_shared<Numbers>(257),
                  {.batch = 10, .sampling = Sampling::shuffled, .seed = 4, .workers = workers});
    std::vector<int64_t> in_order(257);
    std::iota(in_order.begin(), in_order.end(), 0);
    std::vector<std::vector<int64_t>> orders;
    for (int64_t epoch = 0; epoch < 4; ++epoch) {
      std::vector<int64_t> labels = epoch_labels(loader, epoch);
      orders.push_back(labels);
      std::sort(labels.begin(), labels.end());
      EXPECT_EQ(labels, in_order);
    }
    EXPECT_NE(orders[0], in_order);
    EXPECT_NE(orders[0], orders[1]);
    EXPECT_EQ(epoch_labels(loader, 0), orders[0]);  // an epoch is the same whenever it comes
  }
  Loader plain(std::make_shared<Numbers>(257), {.batch = 10});
  EXPECT_TRUE(std::ranges::is_sorted(epoch_labels(plain, 3)));
}

TEST(Loader, ImagesAndLabelsBelongTogether) {
  Loader loader(std::make_shared<Numbers>(100),
                {.batch = 16, .sampling = Sampling::shuffled, .seed = 9, .workers = 2});
  loader.start(1);
  while (auto batch = loader.next()) {
    for (int64_t k = 0; k < batch->targets.numel(); ++k) {
      int64_t image = 0;
      std::memcpy(&image, batch->inputs.raw() + k * 8, 8);
      EXPECT_EQ(image, batch->targets.at(k));
    }
  }
}

TEST(Loader, FiftyThousandInBatchesOf128) {
  Loader loader(std::make_shared<Numbers>(50000),
                {.batch = 128, .sampling = Sampling::shuffled, .workers = 1});
  EXPECT_EQ(loader.batches(), 391);
  loader.start(0);
  std::vector<int64_t> sizes;
  while (auto batch = loader.next()) {
    EXPECT_EQ(batch->inputs.shape(), (Shape{batch->targets.dim(0), 2, 2, 2}));
    sizes.push_back(batch->targets.dim(0));
  }
  std::vector<int64_t> expected(390, 128);
  expected.push_back(80);
  EXPECT_EQ(sizes, expected);
  EXPECT_EQ(loader.next(), std::nullopt);
}

TEST(Loader, StartingAtABatchEqualsSkippingThoseBefore) {
  const auto set = random_set(50, 8, 8, 3);
  for (int workers : {0, 1, 3}) {
    Loader loader(set, {.batch = 7,
                        .sampling = Sampling::shuffled,
                        .seed = 2,
                        .workers = workers,
                        .augment = Augmentation::parse("standard")});
    loader.start(5);
    const std::vector<std::string> all = rest(loader);
    ASSERT_EQ(all.size(), 8u);
    for (int64_t k = 0; k <= 8; ++k) {
      loader.start(5, k);
      EXPECT_EQ(rest(loader), std::vector<std::string>(all.begin() + k, all.end())) << k;
    }
  }
}

TEST(Loader, AugmentationDiffersByEpochAndSeedButNotByPlace) {
  const auto set = random_set(1, 16, 16, 3);
  const auto first = [&](uint64_t seed, int64_t epoch) {
    Loader loader(set, {.batch = 1, .seed = seed, .augment = Augmentation::parse("crop:4")});
    loader.start(epoch);
    return rest(loader).at(0);
  };
  EXPECT_EQ(first(1, 0), first(1, 0));
  EXPECT_TRUE(first(1, 0) != first(1, 1) || first(1, 0) != first(1, 2));
  EXPECT_TRUE(first(1, 0) != first(2, 0) || first(1, 0) != first(3, 0));
  // The order of a shuffled epoch does not affect how a sample is transformed.
  const auto many = random_set(20, 8, 8, 1);
  LoaderOptions options{.batch = 1, .seed = 3, .augment = Augmentation::parse("standard")};
  Loader plain(many, options);
  options.sampling = Sampling::shuffled;
  Loader shuffled(many, options);
  plain.start(0);
  shuffled.start(0);
  std::vector<std::string> a = rest(plain), b = rest(shuffled);
  EXPECT_NE(a, b);
  std::ranges::sort(a);
  std::ranges::sort(b);
  EXPECT_EQ(a, b);
}

TEST(Loader, AWorkersErrorIsThrownWhenItsBatchsTurnComes) {
  for (int workers : {0, 1, 3}) {
    Loader loader(std::make_shared<Numbers>(40, 25), {.batch = 10, .workers = workers});
    for (int round = 0; round < 3; ++round) {
      loader.start(round);
      EXPECT_EQ(loader.next()->targets.at(0), 0);
      EXPECT_EQ(loader.next()->targets.at(0), 10);
      const Error error = error_of([&] { (void)loader.next(); });
      EXPECT_STREQ(error.what(), "sample 25 is broken");
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_EQ(loader.next(), std::nullopt);
    }
  }
}

TEST(Loader, TheFirstBrokenSampleOfABatchIsReported) {
  class Broken : public Numbers {
   public:
    Broken() : Numbers(64) {}
    Sample sample(int64_t i) const override {
      if (i == 41) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (i > 40) throw Error(ErrorKind::data, "sample " + std::to_string(i) + " is broken");
      return Numbers::sample(i);
    }
  };
  for (int workers : {0, 1, 3}) {
    Loader loader(std::make_shared<Broken>(), {.batch = 64, .workers = workers});
    loader.start(0);
    EXPECT_EQ(error_of([&] { (void)loader.next(); }).headline(), "sample 41 is broken");
  }
}

// Else a core would be idle while the other loads.
TEST(Loader, ACallerThatHasToWaitLoadsToo) {
  class Watched : public Numbers {
   public:
    Watched() : Numbers(16, -1, 5) {}
    Sample sample(int64_t i) const override {
      if (std::this_thread::get_id() == caller) ++by_caller;
      return Numbers::sample(i);
    }
    const std::thread::id caller = std::this_thread::get_id();
    mutable std::atomic<int64_t> by_caller{0};
  };
  const auto set = std::make_shared<Watched>();
  Loader loader(set, {.batch = 16, .workers = 1});
  loader.start(0);
  (void)loader.next();
  EXPECT_GE(set->by_caller, 1);
  EXPECT_LT(set->by_caller, 16);
}

TEST(Loader, WhatWasLoadedAheadIsKeptWhenItStartsWhereItIs) {
  const auto set = std::make_shared<Numbers>(40);
  Loader loader(set, {.batch = 10, .workers = 1, .prefetch = 4});
  loader.start(2);
  loader.start(2);
  (void)loader.next();
  loader.start(2, 1);
  EXPECT_EQ(labels_of(loader).size(), 30u);
  EXPECT_EQ(set->reads, 40);
}

TEST(Loader, ItCanBeLeftAtAnyMomentWithoutHanging) {
  const auto set = std::make_shared<Numbers>(60, -1, 1);
  for (int workers : {0, 1, 3}) {
    for (int taken = 0; taken < 6; ++taken) {
      Loader loader(set, {.batch = 2, .sampling = Sampling::shuffled, .workers = workers});
      for (int64_t epoch = 0; epoch < 3; ++epoch) {
        loader.start(epoch);
        for (int i = 0; i < taken; ++i) EXPECT_TRUE(loader.next());
      }
    }
  }
}

TEST(Loader, AtMostTheConfiguredNumberOfBatchesWaits) {
  const auto set = std::make_shared<Numbers>(1000);
  Loader loader(set, {.batch = 10, .workers = 2, .prefetch = 3});
  loader.start(0);
  while (set->reads == 0) std::this_thread::yield();  // loads ahead of the first next()
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(set->reads, 60);
  (void)loader.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(set->reads, 70);
}

TEST(Loader, ABatchStaysIntactWhileItIsHeld) {
  // Buffers are reused: never while they are still in use, and safely after the loader's end.
  const auto set = std::make_shared<Numbers>(64);
  std::vector<Batch> held;
  {
    Loader loader(set, {.batch = 4, .workers = 1});
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      loader.start(epoch);
      while (auto batch = loader.next()) {
        if (held.size() < 20) held.push_back(*batch);
      }
    }
  }
  for (size_t b = 0; b < held.size(); ++b) {
    for (int64_t k = 0; k < 4; ++k) {
      int64_t image = 0;
      std::memcpy(&image, held[b].inputs.raw() + k * 8, 8);
      EXPECT_EQ(image, static_cast<int64_t>(b % 16) * 4 + k);
    }
  }
}

TEST(Loader, BuffersAreReused) {
  Loader loader(random_set(64, 8, 8, 3), {.batch = 8});
  loader.start(0);
  const std::byte* first = loader.next()->inputs.raw();
  const Array other(DType::u8, {8, 8, 8, 3});  // would get the buffer if it had been freed
  EXPECT_NE(other.raw(), first);
  while (auto batch = loader.next()) EXPECT_EQ(batch->inputs.raw(), first);
}

TEST(Loader, WorkersDoNotStartTeamsOfTheirOwn) {
  class Watching : public Numbers {
   public:
    Watching() : Numbers(20) {}
    Sample sample(int64_t i) const override {
      int calls = 0;
      parallel_for(1000, 1, [&](int64_t, int64_t) { ++calls; });
      if (calls != 1) throw Error(ErrorKind::internal, "parallel_for ran on a team");
      return Numbers::sample(i);
    }
  };
  Loader loader(std::make_shared<Watching>(), {.batch = 5, .workers = 2});
  EXPECT_EQ(epoch_labels(loader, 0).size(), 20u);
}

TEST(Loader, AnEmptySetHasNoBatches) {
  for (int workers : {0, 2}) {
    Loader loader(std::make_shared<Numbers>(0),
                  {.sampling = Sampling::shuffled, .workers = workers});
    EXPECT_EQ(loader.batches(), 0);
    loader.start(0);
    EXPECT_EQ(loader.next(), std::nullopt);
  }
}

TEST(Loader, OptionsOutOfRangeAreUsageErrors) {
  const auto set = std::make_shared<Numbers>(10);
  const auto error = [&](LoaderOptions options) {
    const Error e = error_of([&] { Loader(set, options); });
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    return e.headline();
  };
  EXPECT_EQ(error({.batch = 0}), "loader: batch is 0, not in 1..2147483648");
  EXPECT_EQ(error({.workers = -1}), "loader: workers is -1, not in 0..256");
  EXPECT_EQ(error({.prefetch = 0}), "loader: prefetch is 0, not in 1..1024");
  EXPECT_EQ(error({.augment = Augmentation::parse("crop:2")}),
            "--augment: crop:2 could miss images of 2x2");
  EXPECT_EQ(error({.augment = Augmentation::parse("mixup")}),
            "loader: mixup:0.2 mixes batches, which the training step does");
  Loader loader(set, {.batch = 4});
  EXPECT_EQ(error_of([&] { (void)loader.next(); }).headline(),
            "loader: next() before the first start()");
  EXPECT_EQ(error_of([&] { loader.start(0, 4); }).headline(),
            "loader: first batch is 4, not in 0..3");
  EXPECT_EQ(error_of([&] { loader.start(-1); }).kind(), ErrorKind::usage);
}

}  // namespace
}  // namespace fovea::data
