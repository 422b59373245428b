// How far each device has got, and where the host waited for it.
//
// Kernels are run at once, by the CPU. What a real device would do later is modelled by numbers: each
// piece of work gets the next number, and counts as done only when the host waits. Copies to the host
// that the host did not wait for are kept back until then, so whoever reads early reads old values.

#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/util/Exception.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace pretend {

constexpr c10::DeviceIndex kDevices = 2;

enum class Wait { Item, ToHost, ToDevice, Mask, Nonzero, Event, Synchronize, Other };

constexpr std::array<const char*, 8> kWaits = {
    "item", "to_host", "to_device", "mask", "nonzero", "event", "synchronize", "other"};

class Progress {
 public:
  // Take up work that is done already, as far as its results go; returns its number.
  int64_t submit() {
    std::lock_guard<std::mutex> lock(mutex_);
    return ++submitted_;
  }

  // Take up work that is done when the device gets there.
  void defer(std::function<void()> work) {
    std::lock_guard<std::mutex> lock(mutex_);
    deferred_.push_back({++submitted_, std::move(work)});
  }

  int64_t submitted() {
    std::lock_guard<std::mutex> lock(mutex_);
    return submitted_;
  }

  bool reached(int64_t number) {
    std::lock_guard<std::mutex> lock(mutex_);
    return done_ >= number;
  }

  // Let the device get to this piece of work.
  void advance(int64_t number) {
    std::unique_lock<std::mutex> lock(mutex_);
    done_ = std::max(done_, number);
    while (!deferred_.empty() && deferred_.front().number <= number) {
      auto work = std::move(deferred_.front().run);
      deferred_.pop_front();
      lock.unlock();  // the work may free memory, and may end in an error
      work();
      lock.lock();
    }
  }

  void advance() { advance(submitted()); }

 private:
  struct Deferred {
    int64_t number;
    std::function<void()> run;
  };

  std::mutex mutex_;
  std::deque<Deferred> deferred_;
  int64_t submitted_ = 0;
  int64_t done_ = 0;
};

inline Progress& progress(c10::DeviceIndex device) {
  static std::array<Progress, kDevices> all;
  return all.at(device);
}

using Listener = void (*)(const char* kind);

struct Waits {
  std::array<std::atomic<int64_t>, kWaits.size()> counts{};
  std::atomic<Listener> listener{nullptr};
};

inline Waits& waits() {
  static Waits all;
  return all;
}

// Count a wait of the host and let the device finish all that it was given.
inline void wait(Wait kind, c10::DeviceIndex device) {
  const auto which = static_cast<size_t>(kind);
  ++waits().counts[which];
  if (Listener listener = waits().listener) {
    listener(kWaits[which]);
  }
  progress(device).advance();
}

}  // namespace pretend
