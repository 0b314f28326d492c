#include "fovea/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/core/parallel.h"
#include "fovea/core/random.h"

namespace fovea::data {
namespace {

constexpr int max_workers = 256;
constexpr int max_prefetch = 1024;

void check_range(const char* option, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) {
    throw Error(ErrorKind::usage, "loader: " + std::string(option) + " is " +
                                      std::to_string(value) + ", not in " + std::to_string(low) +
                                      ".." + std::to_string(high));
  }
}

ImageSize image_size(const Dataset& dataset) {
  return {dataset.height(), dataset.width(), dataset.channels()};
}

}  // namespace

/// Buffers of one size that come back when the last handle on their array is gone, also after the
/// loader itself is.
class Loader::Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool(size_t bytes, size_t spares) : bytes_(bytes) { spares_.reserve(spares); }

  Array array(const Shape& shape) {
    std::shared_ptr<std::byte> buffer = take();
    std::byte* data = buffer.get();
    std::shared_ptr<void> owner(data, [pool = shared_from_this(), buffer](void*) mutable {
      pool->give(std::move(buffer));
    });
    return Array(DType::u8, shape, data, std::move(owner));
  }

 private:
  std::shared_ptr<std::byte> take() {
    {
      std::lock_guard lock(guard_);
      if (!spares_.empty()) {
        auto buffer = std::move(spares_.back());
        spares_.pop_back();
        return buffer;
      }
    }
    return allocate(bytes_);
  }

  void give(std::shared_ptr<std::byte> buffer) {
    std::lock_guard lock(guard_);
    if (spares_.size() < spares_.capacity()) spares_.push_back(std::move(buffer));
  }

  size_t bytes_;
  std::mutex guard_;
  std::vector<std::shared_ptr<std::byte>> spares_;
};

/// What an epoch's batches are: any of them can be made on any thread.
class Loader::Epoch {
 public:
  Epoch(const Loader& loader, int64_t number)
      : dataset_(*loader.dataset_),
        options_(loader.options_),
        pool_(*loader.pool_),
        number_(static_cast<uint64_t>(number)),
        size_(image_size(dataset_)) {
    if (options_.shuffle) {
      order_ = permutation(dataset_.size(), options_.seed, "shuffle", number_);
    }
  }

  Batch batch(int64_t index) const {
    const int64_t first = index * options_.batch;
    const int64_t count = std::min(options_.batch, dataset_.size() - first);
    Batch batch{pool_.array({count, size_.height, size_.width, size_.channels}),
                Array(DType::i64, {count})};
    const auto bytes = static_cast<size_t>(dataset_.image_bytes());
    const std::span<uint8_t> pixels = batch.images.data<uint8_t>();
    const std::span<int64_t> labels = batch.labels.data<int64_t>();
    for (size_t k = 0; k < labels.size(); ++k) {
      const int64_t place = first + static_cast<int64_t>(k);
      const int64_t sample = order_.empty() ? place : order_[static_cast<size_t>(place)];
      const std::span<uint8_t> image = pixels.subspan(k * bytes, bytes);
      dataset_.image(sample, image);
      labels[k] = dataset_.label(sample);
      if (options_.augment.empty()) continue;
      const uint64_t stream =
          number_ * static_cast<uint64_t>(dataset_.size()) + static_cast<uint64_t>(sample);
      Random random(options_.seed, "augment", stream);
      options_.augment(size_, image, random);
    }
    return batch;
  }

 private:
  const Dataset& dataset_;
  const LoaderOptions& options_;
  Pool& pool_;
  uint64_t number_;
  ImageSize size_;
  std::vector<int64_t> order_;
};

/// Threads that make the batches [first, last) of an epoch in turn, at most `ahead` of what was
/// taken. Ending it waits for the batches in the making, no longer.
class Loader::Team {
 public:
  Team(const Epoch& epoch, int64_t first, int64_t last, int workers, int64_t ahead)
      : epoch_(epoch), last_(last), claimed_(first), taken_(first) {
    slots_.resize(static_cast<size_t>(ahead));
    const int64_t useful = std::min<int64_t>(workers, last - first);
    try {
      for (int64_t i = 0; i < useful; ++i) {
        threads_.emplace_back([this](std::stop_token stop) { work(stop); });
      }
    } catch (const std::system_error&) {
      throw Error(ErrorKind::memory, "loader: cannot start another thread")
          .with("found", std::to_string(threads_.size()) + " of " + std::to_string(useful))
          .with("try", "fewer --workers");
    }
  }

  Batch take() {
    std::unique_lock lock(guard_);
    std::optional<Made>& slot = slot_of(taken_);
    ready_.wait(lock, [&] { return slot.has_value(); });
    Made made = std::move(*slot);
    slot.reset();
    ++taken_;
    lock.unlock();
    room_.notify_one();
    if (made.failure) std::rethrow_exception(made.failure);
    return std::move(*made.batch);
  }

 private:
  struct Made {
    std::optional<Batch> batch;
    std::exception_ptr failure;
  };

  std::optional<Made>& slot_of(int64_t index) {
    return slots_[static_cast<size_t>(index) % slots_.size()];
  }

  /// The next batch to make, once there is room for it; none when all are claimed or on a stop.
  std::optional<int64_t> claim(const std::stop_token& stop) {
    std::unique_lock lock(guard_);
    const auto ahead = static_cast<int64_t>(slots_.size());
    room_.wait(lock, stop, [&] { return claimed_ == last_ || claimed_ < taken_ + ahead; });
    if (stop.stop_requested() || claimed_ == last_) return std::nullopt;
    return claimed_++;
  }

  void work(const std::stop_token& stop) {
    SerialScope serial;
    while (const std::optional<int64_t> index = claim(stop)) {
      Made made;
      try {
        made.batch = epoch_.batch(*index);
      } catch (...) {
        made.failure = std::current_exception();
      }
      {
        std::lock_guard lock(guard_);
        slot_of(*index) = std::move(made);
      }
      ready_.notify_one();
    }
  }

  const Epoch& epoch_;
  const int64_t last_;
  std::mutex guard_;
  std::condition_variable ready_;
  std::condition_variable_any room_;
  int64_t claimed_;
  int64_t taken_;
  std::vector<std::optional<Made>> slots_;
  std::vector<std::jthread> threads_;  // last: they end before what they use
};

Loader::Loader(std::shared_ptr<const Dataset> dataset, LoaderOptions options)
    : dataset_(std::move(dataset)), options_(std::move(options)) {
  check_range("batch", options_.batch, 1, int64_t{1} << 31);
  check_range("workers", options_.workers, 0, max_workers);
  check_range("prefetch", options_.prefetch, 1, max_prefetch);
  options_.augment.check(image_size(*dataset_));
  options_.batch = std::min(options_.batch, std::max<int64_t>(dataset_->size(), 1));
  const int64_t bytes = checked_product(options_.batch, dataset_->image_bytes());
  // One in the hands of the consumer, the others waiting or in the making.
  const size_t waiting =
      static_cast<size_t>(options_.workers) * static_cast<size_t>(options_.prefetch);
  pool_ = std::make_shared<Pool>(static_cast<size_t>(bytes), waiting + 1);
}

Loader::~Loader() = default;

int64_t Loader::batches() const { return (dataset_->size() + options_.batch - 1) / options_.batch; }

void Loader::start(int64_t epoch, int64_t first_batch) {
  check_range("epoch", epoch, 0, int64_t{1} << 62);
  check_range("first batch", first_batch, 0, batches());
  team_.reset();
  epoch_ = std::make_unique<const Epoch>(*this, epoch);
  position_ = first_batch;
  if (options_.workers > 0) {
    const int64_t ahead = int64_t{options_.workers} * options_.prefetch;
    team_ = std::make_unique<Team>(*epoch_, first_batch, batches(), options_.workers, ahead);
  }
}

std::optional<Batch> Loader::next() {
  if (!epoch_) throw Error(ErrorKind::usage, "loader: next() before the first start()");
  if (position_ == batches()) return std::nullopt;
  try {
    Batch batch = team_ ? team_->take() : epoch_->batch(position_);
    ++position_;
    return batch;
  } catch (...) {
    position_ = batches();
    team_.reset();
    throw;
  }
}

}  // namespace fovea::data
