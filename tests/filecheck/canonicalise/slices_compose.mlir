// RUN: canonicalise
// Elements 3, 9 of 0..15: start 1 + 1 * 2, step 2 * 3.
// CHECK: nn.slice %x {start = [3], limit = [10], strides = [6]}
// CHECK-NOT: nn.slice
func.func @main(%x: tensor<16xf32>) -> tensor<2xf32> {
  %a = nn.slice %x {start = [1], limit = [15], strides = [2]} : (tensor<16xf32>) -> tensor<7xf32>
  %b = nn.slice %a {start = [1], limit = [7], strides = [3]} : (tensor<7xf32>) -> tensor<2xf32>
  func.return %b : tensor<2xf32>
}
