#include "engine/worker_pool.h"

#include <utility>

namespace tillwatch::engine {

WorkerPool::WorkerPool(size_t workers) {
  for (size_t i = 1; i < workers; ++i) threads_.emplace_back([this] { work(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  started_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::run(size_t count, const std::function<void(size_t)>& task) {
  if (threads_.empty()) {
    for (size_t i = 0; i < count; ++i) task(i);
    return;
  }
  failure_ = nullptr;
  {
    const std::lock_guard lock(mutex_);
    task_ = &task;
    count_ = count;
    next_ = 0;
    busy_ = threads_.size();
    ++round_;
  }
  started_.notify_all();
  take_tasks(task, count);
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [this] { return busy_ == 0; });
  task_ = nullptr;
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void WorkerPool::take_tasks(const std::function<void(size_t)>& task, size_t count) {
  while (true) {
    size_t mine;
    {
      const std::lock_guard lock(mutex_);
      if (next_ >= count) return;
      mine = next_++;
    }
    try {
      task(mine);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }
}

void WorkerPool::work() {
  uint64_t seen = 0;
  while (true) {
    const std::function<void(size_t)>* task;
    size_t count;
    {
      std::unique_lock lock(mutex_);
      started_.wait(lock, [&] { return stopping_ || round_ != seen; });
      if (stopping_) return;
      seen = round_;
      task = task_;
      count = count_;
    }
    take_tasks(*task, count);
    {
      const std::lock_guard lock(mutex_);
      if (--busy_ == 0) finished_.notify_one();
    }
  }
}

}  // namespace tillwatch::engine
