// Weighted sums over the neighbours of each node, of two fields that lie side by side.
//
// A neighbour's u and v are one load of two numbers. Sums are made slot by slot, each product
// rounded before it is added (-ffp-contract=off), as torch makes them one field at a time: the
// results are the same bits.

#include <cstdint>

template <typename T> struct Two;
template <> struct Two<double> { typedef double type __attribute__((vector_size(16), aligned(8))); };
template <> struct Two<float> { typedef float type __attribute__((vector_size(8), aligned(4))); };

template <typename T> using two = typename Two<T>::type;

template <typename T> static inline two<T> at(const T* fields, int64_t node) {
  return *reinterpret_cast<const two<T>*>(fields + 2 * node);
}

// The sums of `many` nodes from i on at once, a tenth faster than one by one, as each addition waits
// for the one before it. Node i + b's neighbours and weights begin at b * row, and are `step` apart.
template <typename T, bool difference, int many>
static inline void write(const int32_t* neighbours, const T* weights, int64_t slots, int64_t row, int64_t step,
                         int64_t i, const T* centre, const T* fields, T* first, T* second) {
  two<T> own[many], totals[many] = {};
  for (int b = 0; b < many; ++b) own[b] = at(fields, i + b);
  for (int64_t s = 0; s < slots; ++s)
    for (int b = 0; b < many; ++b) {
      const two<T> other = at(fields, neighbours[b * row + s * step]);
      const T weight = weights[b * row + s * step];
      const two<T> product = two<T>{weight, weight} * (difference ? other - own[b] : other);
      totals[b] = s ? totals[b] + product : product;
    }
  for (int b = 0; b < many; ++b) {
    if (!difference) totals[b] = totals[b] - two<T>{centre[i + b], centre[i + b]} * own[b];
    first[i + b] = totals[b][0];
    second[i + b] = totals[b][1];
  }
}

template <typename T, bool difference>
static void sums(const int32_t* neighbours, const T* weights, int64_t slots, int64_t nodes,
                 const int32_t* rows, const int32_t* long_neighbours, const T* long_weights,
                 int64_t long_slots, int64_t long_rows, int64_t long_step, int64_t long_row, const T* centre,
                 const T* fields, T* first, T* second, int threads) {
  constexpr int many = 4;
  const int64_t blocks = nodes / many;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static) nowait
    for (int64_t k = 0; k < blocks; ++k) {
      const int64_t i = k * many;
      write<T, difference, many>(neighbours + i * slots, weights + i * slots, slots, slots, 1, i, centre,
                                 fields, first, second);
    }
#pragma omp single
    for (int64_t i = blocks * many; i < nodes; ++i)
      write<T, difference, 1>(neighbours + i * slots, weights + i * slots, slots, slots, 1, i, centre, fields,
                              first, second);
    // After all others, whose place they take. Entry 0 of the table stands for no row.
#pragma omp for schedule(static)
    for (int64_t r = 1; r < long_rows; ++r)
      write<T, difference, 1>(long_neighbours + r * long_row, long_weights + r * long_row, long_slots, 0, long_step,
                              rows[r], centre, fields, first, second);
  }
}

#define EXPORT(name, T)                                                                                    \
  extern "C" void name(const int32_t* neighbours, const T* weights, int64_t slots, int64_t nodes,          \
                       const int32_t* rows, const int32_t* long_neighbours, const T* long_weights,         \
                       int64_t long_slots, int64_t long_rows, int64_t long_step, int64_t long_row,         \
                       const T* centre, const T* fields, T* first, T* second, int threads) {               \
    if (centre)                                                                                            \
      sums<T, false>(neighbours, weights, slots, nodes, rows, long_neighbours, long_weights, long_slots,   \
                     long_rows, long_step, long_row, centre, fields, first, second, threads);              \
    else                                                                                                   \
      sums<T, true>(neighbours, weights, slots, nodes, rows, long_neighbours, long_weights, long_slots,    \
                    long_rows, long_step, long_row, centre, fields, first, second, threads);               \
  }

EXPORT(sums_float64, double)
EXPORT(sums_float32, float)
