#include "fovea/data/cached.h"

#include <atomic>
#include <thread>

#include "data/helpers.h"
#include "fovea/data/loader.h"
#include "fovea/data/prepared.h"

namespace fovea::data {
namespace {

/// Images that count how often they are decoded, and from what size.
class Counting : public Dataset {
 public:
  explicit Counting(std::shared_ptr<const Dataset> dataset) : dataset_(std::move(dataset)) {}
  int64_t size() const override { return dataset_->size(); }
  Sample sample(int64_t i) const override { return scaled_sample(i, {}); }
  Sample scaled_sample(int64_t i, const MinimumSize& minimum) const override {
    ++decoded;
    smallest = minimum;
    return dataset_->sample(i);
  }
  std::optional<Type> input() const override { return std::nullopt; }
  const Targets& targets() const override { return dataset_->targets(); }

  mutable std::atomic<int64_t> decoded = 0;
  mutable MinimumSize smallest;

 private:
  std::shared_ptr<const Dataset> dataset_;
};

TEST(Cached, SamplesAreDecodedOnceAndTheSameAsWithoutIt) {
  const auto set = random_set(20, 6, 5, 3);
  const auto counting = std::make_shared<Counting>(set);
  const Cached cached(counting, std::make_shared<CacheLimit>(1 << 20), {4, 3});
  for (int epoch = 0; epoch < 3; ++epoch) {
    for (int64_t i = 0; i < 20; ++i) {
      const Sample sample = cached.scaled_sample(i, {4, 3});
      EXPECT_TRUE(
          std::ranges::equal(sample.input.data<uint8_t>(), set->sample(i).input.data<uint8_t>()));
      EXPECT_EQ(sample.target.item(), set->target(i).item());
    }
  }
  EXPECT_EQ(counting->decoded, 20);
  EXPECT_EQ(counting->smallest, (MinimumSize{4, 3}));
  EXPECT_EQ(cached.held_bytes(), 20 * 98);
  (void)cached.sample(0);  // at another size
  EXPECT_EQ(counting->decoded, 21);
}

TEST(Cached, SeveralNeverHoldMoreThanTheirLimitTogether) {
  const auto counting = std::make_shared<Counting>(random_set(20, 6, 5, 3));
  const auto limit = std::make_shared<CacheLimit>(7 * 98 + 97);
  const Cached first(counting, limit), second(counting, limit);
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (int64_t i = 0; i < 5; ++i) (void)first.sample(i);
    for (int64_t i = 0; i < 20; ++i) (void)second.sample(i);
  }
  EXPECT_EQ(first.held_bytes() + second.held_bytes(), 7 * 98);
  EXPECT_EQ(counting->decoded, 5 + 20 + 18);
  limit->lower(0);
  (void)second.sample(19);
  EXPECT_EQ(second.held_bytes(), 2 * 98);
}

TEST(Cached, WorkersAndEpochsDoNotMakeItGrow) {
  const auto counting = std::make_shared<Counting>(random_set(50, 8, 8, 1));
  const Preprocessing to_six{
      .height = 6, .width = 6, .channels = 1, .resize = {}, .mean = {0}, .std = {1}};
  const auto cached =
      std::make_shared<Cached>(prepared(counting, to_six), std::make_shared<CacheLimit>(1 << 20));
  std::vector<uint8_t> first;
  for (const int workers : {0, 1, 4}) {
    Loader loader(cached, {.batch = 7, .workers = workers});
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      std::vector<uint8_t> seen;
      loader.start(epoch);
      while (const auto batch = loader.next()) {
        const auto pixels = batch->inputs.data<uint8_t>();
        seen.insert(seen.end(), pixels.begin(), pixels.end());
      }
      if (first.empty()) first = seen;
      EXPECT_EQ(seen, first);
    }
  }
  EXPECT_EQ(cached->held_bytes(), 50 * (36 + 8));
  EXPECT_EQ(counting->decoded, 50);
}

}  // namespace
}  // namespace fovea::data
