// Memory of the devices, which ends where it is told to, and pinned memory of the host.

#pragma once

#include "progress.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <string>

namespace pretend {

// The device that a thread works on, as `cudaSetDevice` chooses it.
inline c10::DeviceIndex& current_device() {
  thread_local c10::DeviceIndex index = 0;
  return index;
}

inline void check_index(int64_t index) {
  TORCH_CHECK(
      0 <= index && index < kDevices,
      "invalid device ordinal: there are ", int(kDevices), " pretend devices, got number ", index);
}

inline c10::Device device_of(c10::DeviceIndex index) {
  return {c10::DeviceType::PrivateUse1, index};
}

// Use a device in this thread until the end of a block.
class OnDevice {
 public:
  explicit OnDevice(c10::DeviceIndex index) : before_(current_device()) { current_device() = index; }
  ~OnDevice() { current_device() = before_; }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  c10::DeviceIndex before_;
};

inline std::string in_MiB(size_t bytes) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.2f MiB", double(bytes) / (1 << 20));
  return text.data();
}

// What a device has given out. Like torch's caching allocator it keeps what it once had: `reserved` is
// the most that was in use at once since the cache was emptied.
struct Usage {
  size_t total = size_t(4) << 30;
  size_t allocated = 0;
  size_t reserved = 0;
};

class DeviceAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    const auto device = current_device();
    if (bytes == 0) {
      return {nullptr, nullptr, &c10::detail::deleteNothing, device_of(device)};
    }
    take(device, bytes);
    auto block = std::make_unique<Block>(Block{c10::alloc_cpu(bytes), bytes, device});
    // Numbers that nobody wrote are NaN, or minus one.
    std::memset(block->data, 0xFF, bytes);
    void* data = block->data;
    return {data, block.release(), &give_back, device_of(device)};
  }

  // Blocks know their size, so a bare pointer cannot be freed.
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }

  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }

  Usage usage(c10::DeviceIndex device) {
    std::lock_guard<std::mutex> lock(mutex_);
    return usage_.at(device);
  }

  void set_total(c10::DeviceIndex device, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    usage_.at(device).total = bytes;
  }

  void empty_cache(c10::DeviceIndex device) {
    std::lock_guard<std::mutex> lock(mutex_);
    usage_.at(device).reserved = usage_.at(device).allocated;
  }

 private:
  struct Block {
    void* data;
    size_t bytes;
    c10::DeviceIndex device;
  };

  void take(c10::DeviceIndex device, size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto& usage = usage_.at(device);
    TORCH_CHECK_WITH(
        OutOfMemoryError,
        usage.allocated + bytes <= usage.total,
        "PRETEND out of memory. Tried to allocate ", in_MiB(bytes), ". Device ", int(device),
        " has a total capacity of ", in_MiB(usage.total), ", of which ",
        in_MiB(usage.allocated), " are in use.");
    usage.allocated += bytes;
    usage.reserved = std::max(usage.reserved, usage.allocated);
  }

  static void give_back(void* context);

  std::mutex mutex_;
  std::array<Usage, kDevices> usage_;
};

// Never destroyed: tensors may outlive what is static.
inline DeviceAllocator& device_memory() {
  static auto* allocator = new DeviceAllocator;
  return *allocator;
}

inline void DeviceAllocator::give_back(void* context) {
  std::unique_ptr<Block> block(static_cast<Block*>(context));
  c10::free_cpu(block->data);
  auto& memory = device_memory();
  std::lock_guard<std::mutex> lock(memory.mutex_);
  memory.usage_.at(block->device).allocated -= block->bytes;
}

// Memory of the host that a device can reach by itself.
class PinnedAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* data = c10::alloc_cpu(std::max<size_t>(bytes, 1));
    std::lock_guard<std::mutex> lock(mutex_);
    ends_[static_cast<char*>(data)] = static_cast<char*>(data) + bytes;
    return {data, data, &give_back, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }

  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }

  bool owns(const void* pointer) {
    auto* place = static_cast<const char*>(pointer);
    std::lock_guard<std::mutex> lock(mutex_);
    auto next = ends_.upper_bound(const_cast<char*>(place));
    return next != ends_.begin() && place < std::prev(next)->second;
  }

 private:
  static void give_back(void* data);

  std::mutex mutex_;
  std::map<char*, char*> ends_;
};

inline PinnedAllocator& pinned_memory() {
  static auto* allocator = new PinnedAllocator;
  return *allocator;
}

inline void PinnedAllocator::give_back(void* data) {
  auto& memory = pinned_memory();
  {
    std::lock_guard<std::mutex> lock(memory.mutex_);
    memory.ends_.erase(static_cast<char*>(data));
  }
  c10::free_cpu(data);
}

}  // namespace pretend
