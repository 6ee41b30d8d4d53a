// The CPU's memory. Every training step makes some hundred tensors, whose sizes
// differ from step to step with the lengths of the sequences, and frees them all.
// glibc's heap frays under that: 3.2 GB for steps of 200 MB were seen, and still
// growing. Here a block has one of two sizes an octave, and a freed block waits in
// the list of its size: no search, no page faulted in anew, and never more than
// the most blocks of each size that were in use at a time.
#include "native.hpp"

#include <c10/core/CPUAllocator.h>
#include <torch/version.h>

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

namespace {

constexpr size_t header = 64; // before each block, keeps it aligned
constexpr int classes = 64;
constexpr size_t huge = 64 << 20; // bytes from which a block asks for large pages
constexpr int smallest = 9; // log2: blocks below 512 bytes are rounded up to it

// Class 2k holds 2^(smallest+k) bytes, class 2k+1 half as much again.
size_t class_bytes(int c) { return (size_t(1) << (smallest + c / 2)) * (c % 2 ? 3 : 2) / 2; }

int class_of(size_t n) {
  int c = 0;
  while (class_bytes(c) < n) c++;
  return c;
}

class SizeClasses final : public c10::Allocator {
public:
#if TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 3
  c10::DataPtr allocate(size_t n) const override { return fetch(n); }
#else
  c10::DataPtr allocate(size_t n) override { return fetch(n); }
  void copy_data(void *to, const void *from, size_t n) const override { default_copy_data(to, from, n); }
#endif
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }

private:
  struct FreeList {
    std::mutex mutex;
    std::vector<char *> blocks;
  };
  static FreeList lists[classes];

  static c10::DataPtr fetch(size_t n) {
    if (n == 0) return {nullptr, nullptr, &give_back, c10::Device(c10::kCPU)};
    int c = class_of(n);
    char *block = nullptr;
    {
      std::lock_guard<std::mutex> lock(lists[c].mutex);
      if (!lists[c].blocks.empty()) {
        block = lists[c].blocks.back();
        lists[c].blocks.pop_back();
      }
    }
    if (!block) {
      void *fresh = nullptr;
      TORCH_CHECK(posix_memalign(&fresh, header, header + class_bytes(c)) == 0, "no memory for ", n, " bytes");
      block = static_cast<char *>(fresh);
#if defined(MADV_HUGEPAGE)
      // Rows of a large table are read at random: with small pages each read misses the
      // TLB. Refusal costs speed only.
      if (class_bytes(c) >= huge) {
        uintptr_t from = ((uintptr_t)fresh + 4095) & ~(uintptr_t)4095;
        madvise((void *)from, ((uintptr_t)fresh + class_bytes(c) - from) & ~(uintptr_t)4095, MADV_HUGEPAGE);
      }
#endif
      *reinterpret_cast<int *>(block) = c;
    }
    void *data = block + header;
    return {data, data, &give_back, c10::Device(c10::kCPU)};
  }

  static void give_back(void *data) {
    if (!data) return;
    char *block = static_cast<char *>(data) - header;
    FreeList &list = lists[*reinterpret_cast<int *>(block)];
    std::lock_guard<std::mutex> lock(list.mutex);
    list.blocks.push_back(block);
  }
};

SizeClasses::FreeList SizeClasses::lists[classes];
SizeClasses size_classes;

} // namespace

void fb_use_size_classes(void) { c10::SetCPUAllocator(&size_classes, /*priority=*/1); }
