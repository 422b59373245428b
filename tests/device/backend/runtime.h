// What torch asks of any device: which there are, which is current, streams, events, generators.

#pragma once

#include "generators.h"

#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/Resize.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <chrono>

namespace pretend {

// A mark between two pieces of work of a device.
struct Event {
  c10::DeviceIndex device;
  int64_t number;
  std::chrono::steady_clock::time_point time;
};

inline std::array<c10::StreamId, kDevices>& current_streams() {
  thread_local std::array<c10::StreamId, kDevices> ids{};
  return ids;
}

// All streams of a device share one line of work: that is what the default stream does, and others may.
class DeviceGuard final : public c10::impl::DeviceGuardImplInterface {
 public:
  static constexpr c10::DeviceType static_type = c10::DeviceType::PrivateUse1;

  c10::DeviceType type() const override { return static_type; }
  c10::Device getDevice() const override { return device_of(current_device()); }
  c10::DeviceIndex deviceCount() const noexcept override { return kDevices; }

  void setDevice(c10::Device device) const override {
    check_index(device.index());
    current_device() = device.index();
  }

  void uncheckedSetDevice(c10::Device device) const noexcept override {
    current_device() = device.index();
  }

  c10::Device exchangeDevice(c10::Device device) const override {
    const auto before = getDevice();
    setDevice(device);
    return before;
  }

  c10::Stream getStream(c10::Device device) const override {
    const auto index = index_or_current(device.index());
    return c10::Stream(c10::Stream::UNSAFE, device_of(index), current_streams().at(index));
  }

  c10::Stream getDefaultStream(c10::Device device) const override {
    return c10::Stream(c10::Stream::DEFAULT, device_of(index_or_current(device.index())));
  }

  c10::Stream getNewStream(c10::Device device, int /*priority*/) const override {
    static std::atomic<c10::StreamId> last{0};
    const auto index = index_or_current(device.index());
    return c10::Stream(c10::Stream::UNSAFE, device_of(index), ++last);
  }

  c10::Stream getStreamFromGlobalPool(c10::Device device, bool /*high*/) const override {
    return getNewStream(device, 0);
  }

  c10::Stream exchangeStream(c10::Stream stream) const override {
    const auto before = getStream(stream.device());
    current_streams().at(stream.device_index()) = stream.id();
    return before;
  }

  bool queryStream(const c10::Stream& stream) const override {
    auto& device = progress(stream.device_index());
    return passed(device, device.submitted());
  }

  void synchronizeStream(const c10::Stream& stream) const override {
    synchronizeDevice(stream.device_index());
  }

  void synchronizeDevice(const c10::DeviceIndex index) const override {
    auto& device = progress(index_or_current(index));
    if (!device.reached(device.submitted())) {
      wait(Wait::Synchronize, index_or_current(index));
    }
  }

  void record(
      void** event,
      const c10::Stream& stream,
      const c10::DeviceIndex /*device*/,
      const c10::EventFlag /*flag*/) const override {
    if (*event == nullptr) {
      *event = new Event;
    }
    const auto index = stream.device_index();
    *static_cast<Event*>(*event) = {
        index, progress(index).submitted(), std::chrono::steady_clock::now()};
  }

  void destroyEvent(void* event, const c10::DeviceIndex /*device*/) const noexcept override {
    delete static_cast<Event*>(event);
  }

  bool queryEvent(void* event) const override {
    auto* mark = static_cast<Event*>(event);
    return mark == nullptr || passed(progress(mark->device), mark->number);
  }

  void synchronizeEvent(void* event) const override {
    auto* mark = static_cast<Event*>(event);
    if (mark != nullptr && !progress(mark->device).reached(mark->number)) {
      wait(Wait::Event, mark->device);
    }
  }

  void block(void* /*event*/, const c10::Stream& /*stream*/) const override {}

  double elapsedTime(void* first, void* second, const c10::DeviceIndex /*device*/) const override {
    TORCH_CHECK(first && second, "Both events must be recorded before calculating elapsed time.");
    const auto passed = static_cast<Event*>(second)->time - static_cast<Event*>(first)->time;
    return std::chrono::duration<double, std::milli>(passed).count();
  }

 private:
  // Asked whether it has got to some work, the device says how it is, and goes on: a loop that asks
  // until it is done does not ask for ever.
  static bool passed(Progress& device, int64_t number) {
    const bool reached = device.reached(number);
    if (!reached) {
      device.advance(number);
    }
    return reached;
  }
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex /*device*/) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return kDevices; }
  c10::DeviceIndex getCurrentDevice() const override { return current_device(); }

  void setCurrentDevice(c10::DeviceIndex device) const override {
    DeviceGuard().setDevice(device_of(device));
  }

  c10::DeviceIndex exchangeDevice(c10::DeviceIndex device) const override {
    return DeviceGuard().exchangeDevice(device_of(device)).index();
  }

  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex device) const override {
    return exchangeDevice(device);
  }

  const at::Generator& getDefaultGenerator(c10::DeviceIndex device) const override {
    return default_generator(device);
  }

  at::Generator getNewGenerator(c10::DeviceIndex device) const override {
    return at::make_generator<DeviceGenerator>(index_or_current(device));
  }

  bool isPinnedPtr(const void* pointer) const override { return pinned_memory().owns(pointer); }
  c10::Allocator* getPinnedMemoryAllocator() const override { return &pinned_memory(); }

  void resizePrivateUse1Bytes(const c10::Storage& storage, size_t bytes) const override {
    OnDevice guard(storage.device().index());
    at::native::resize_bytes_cpu(storage.unsafeGetStorageImpl(), bytes);
  }
};

}  // namespace pretend
