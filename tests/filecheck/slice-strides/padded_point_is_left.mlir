// RUN: slice-strides
// With padding, output 0 does not read input 0: left as it is.
func.func @main(%x: tensor<1x8x8x4xf32>, %w: tensor<1x1x4x8xf32>) -> tensor<1x5x5x8xf32> {
  %y = nn.fused %x, %w {loc = "conv"} : (tensor<1x8x8x4xf32>, tensor<1x1x4x8xf32>) -> tensor<1x5x5x8xf32> {
  ^bb0(%a: tensor<1x8x8x4xf32>, %b: tensor<1x1x4x8xf32>):
    %c = nn.convolution %a, %b {strides = [2, 2], padding = [1, 1, 1, 1], lhs_dilation = [1, 1], rhs_dilation = [1, 1], groups = 1, layout = "nhwc", loc = "conv"} : (tensor<1x8x8x4xf32>, tensor<1x1x4x8xf32>) -> tensor<1x5x5x8xf32>
    nn.yield %c : tensor<1x5x5x8xf32>
  }
  func.return %y : tensor<1x5x5x8xf32>
}
// CHECK-NOT: nn.slice
// CHECK: strides = [2, 2]
