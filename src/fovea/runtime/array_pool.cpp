#include "fovea/runtime/array_pool.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

namespace fovea {
namespace {

constexpr size_t smallest_chunk = size_t{64} << 10, largest_chunk = size_t{16} << 20;

}  // namespace

/// Locked, since the last handle to an array may be another thread's.
class ArrayPool::Chunks {
 public:
  std::byte* take(size_t bytes) {
    const std::lock_guard lock(mutex_);
    auto piece = free_.end();  // the smallest that is large enough: others stay whole
    for (auto p = free_.begin(); p != free_.end(); ++p) {
      if (p->second >= bytes && (piece == free_.end() || p->second < piece->second)) piece = p;
    }
    if (piece == free_.end()) piece = add_chunk(bytes);
    const auto [data, size] = *piece;
    free_.erase(piece);
    if (size > bytes) free_.emplace(data + bytes, size - bytes);
    return data;
  }

  void give_back(std::byte* data, size_t bytes) {
    const std::lock_guard lock(mutex_);
    ASAN_POISON_MEMORY_REGION(data, bytes);
    auto piece = free_.emplace(data, bytes).first;
    if (piece != free_.begin()) piece = joined(std::prev(piece));
    joined(piece);
  }

  size_t bytes() const {
    const std::lock_guard lock(mutex_);
    return allocated_;
  }

 private:
  using Pieces = std::map<std::byte*, size_t>;

  Pieces::iterator add_chunk(size_t at_least) {
    const size_t size = std::max(at_least, std::clamp(allocated_, smallest_chunk, largest_chunk));
    chunks_.push_back(allocate(size));
    allocated_ += size;
    ASAN_POISON_MEMORY_REGION(chunks_.back().get(), size);
    return free_.emplace(chunks_.back().get(), size).first;
  }

  /// Makes one piece of this and the next if they are neighbours; returns it, or else the next.
  Pieces::iterator joined(Pieces::iterator piece) {
    const auto next = std::next(piece);
    if (next == free_.end() || piece->first + piece->second != next->first) return next;
    piece->second += next->second;
    free_.erase(next);
    return piece;
  }

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<std::byte>> chunks_;
  size_t allocated_ = 0;  ///< bytes of all chunks
  Pieces free_;           ///< their sizes, by place
};

ArrayPool::ArrayPool() : chunks_(std::make_shared<Chunks>()) {}

size_t ArrayPool::bytes() const { return chunks_->bytes(); }

Array ArrayPool::make(const Type& type) {
  if (type.bytes() >= largest_chunk / 2) return {type.dtype, type.shape};
  const size_t bytes = align_up(type.bytes() + 1);  // at least a byte that is nobody's
  std::byte* data = chunks_->take(bytes);
  const auto give_back = [chunks = chunks_, bytes](std::byte* p) { chunks->give_back(p, bytes); };
  std::shared_ptr<std::byte> owner(data, give_back);
  ASAN_UNPOISON_MEMORY_REGION(data, type.bytes());
  return {type.dtype, type.shape, data, std::move(owner)};
}

}  // namespace fovea
