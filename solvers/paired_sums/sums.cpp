// Weighted sums over the neighbours of each node, of two fields that lie side by side.
//
// A neighbour's u and v are one load of two numbers. Sums are made slot by slot, each product
// rounded before it is added (-ffp-contract=off), as torch makes them one field at a time: the
// results are the same bits.

#include <algorithm>
#include <cstdint>

template <typename T> struct Two;
template <> struct Two<double> { typedef double type __attribute__((vector_size(16), aligned(8))); };
template <> struct Two<float> { typedef float type __attribute__((vector_size(8), aligned(4))); };

template <typename T> using two = typename Two<T>::type;

template <typename T> static inline two<T> at(const T* fields, int64_t node) {
  return *reinterpret_cast<const two<T>*>(fields + 2 * node);
}

// Asks for some bytes that are needed soon; an address beyond the end does no harm.
static inline void prefetch(const void* start, int64_t bytes) {
  for (int64_t k = 0; k < bytes; k += 64) __builtin_prefetch(static_cast<const char*>(start) + k);
}

// The sums of `many` nodes from i on at once, as each addition waits for the one before it.
template <typename T, bool difference, int many>
static inline void write(const int32_t* neighbours, const T* weights, int64_t slots, int64_t i, const T* fields,
                         T* first, T* second) {
  two<T> own[many], totals[many] = {};
  for (int b = 0; b < many; ++b) own[b] = at(fields, i + b);
  for (int64_t s = 0; s < slots; ++s)
    for (int b = 0; b < many; ++b) {
      const two<T> other = at(fields, neighbours[b * slots + s]);
      const T weight = weights[b * slots + s];
      const two<T> product = two<T>{weight, weight} * (difference ? other - own[b] : other);
      totals[b] = s ? totals[b] + product : product;
    }
  for (int b = 0; b < many; ++b) {
    first[i + b] = totals[b][0];
    second[i + b] = totals[b][1];
  }
}

// All slots of long rows. The table of all nodes has the first of them too.
template <typename T> struct Long {
  const int32_t* rows;  // nodes, ascending; entry 0 stands for no row
  const int32_t* neighbours;
  const T* weights;
  int64_t slots, count, step, row;  // slots of a row are `step` apart, rows `row`

  // Goes on with the sum of a node, of which the first `done` slots are made.
  template <bool difference>
  inline void add(int64_t r, int64_t done, const T* fields, T* first, T* second) const {
    const int64_t i = rows[r];
    const two<T> own = at(fields, i);
    two<T> total = {first[i], second[i]};
    for (int64_t s = done; s < slots; ++s) {
      const int64_t j = neighbours[r * row + s * step];
      if (j == i) break;  // the node itself fills up a row that is shorter
      const T weight = weights[r * row + s * step];
      total = total + two<T>{weight, weight} * (difference ? at(fields, j) - own : at(fields, j));
    }
    first[i] = total[0];
    second[i] = total[1];
  }
};

template <typename T, bool difference>
static void sums(const int32_t* neighbours, const T* weights, int64_t slots, int64_t nodes, const Long<T>& rest,
                 const T* centre, const T* fields, T* first, T* second, int threads) {
  constexpr int many = 2;         // measured, as `ahead` and `chunk`: 1, 3, 4, 6 and 8 are slower
  constexpr int64_t ahead = 256;  // entries; a sixth faster than what a processor foresees by itself
  // Nodes whose fields are still at hand when their long rows follow; some chunks for each thread.
  const int64_t chunk = std::clamp<int64_t>(nodes / (8 * threads), 256, 4096);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t start = 0; start < nodes; start += chunk) {
    const int64_t end = std::min(start + chunk, nodes);
    int64_t i = start;
    for (; i + many <= end; i += many) {
      const int32_t* others = neighbours + i * slots;
      const T* factors = weights + i * slots;
      prefetch(others + ahead, many * slots * sizeof(int32_t));
      prefetch(factors + ahead, many * slots * sizeof(T));
      write<T, difference, many>(others, factors, slots, i, fields, first, second);
    }
    for (; i < end; ++i)
      write<T, difference, 1>(neighbours + i * slots, weights + i * slots, slots, i, fields, first, second);
    if (rest.count) {
      const int32_t* last = rest.rows + rest.count;
      for (const int32_t* r = std::lower_bound(rest.rows + 1, last, start); r < last && *r < end; ++r)
        rest.template add<difference>(r - rest.rows, slots, fields, first, second);
    }
    if (!difference)
      for (i = start; i < end; ++i) {
        first[i] -= centre[i] * fields[2 * i];
        second[i] -= centre[i] * fields[2 * i + 1];
      }
  }
}

#define EXPORT(name, T)                                                                                    \
  extern "C" void name(const int32_t* neighbours, const T* weights, int64_t slots, int64_t nodes,          \
                       const int32_t* rows, const int32_t* long_neighbours, const T* long_weights,         \
                       int64_t long_slots, int64_t long_rows, int64_t long_step, int64_t long_row,         \
                       const T* centre, const T* fields, T* first, T* second, int threads) {               \
    const Long<T> rest = {rows, long_neighbours, long_weights, long_slots, long_rows, long_step, long_row}; \
    if (centre)                                                                                            \
      sums<T, false>(neighbours, weights, slots, nodes, rest, centre, fields, first, second, threads);     \
    else                                                                                                   \
      sums<T, true>(neighbours, weights, slots, nodes, rest, centre, fields, first, second, threads);      \
  }

EXPORT(sums_float64, double)
EXPORT(sums_float32, float)
