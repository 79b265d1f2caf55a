// RUN: slice-strides
// A 1x1 convolution of stride 2 on 7 rows reads rows 0, 2, 4 and 6 only.
// CHECK: %[[S:.*]] = nn.slice %x {start = [0, 0, 0, 0], limit = [1, 7, 7, 4], strides = [1, 2, 2, 1]
// CHECK: nn.fused %[[S]], %w
// CHECK: nn.convolution {{.*}}strides = [1, 1]
func.func @main(%x: tensor<1x8x8x4xf32>, %w: tensor<1x1x4x8xf32>) -> tensor<1x4x4x8xf32> {
  %y = nn.fused %x, %w {loc = "conv"} : (tensor<1x8x8x4xf32>, tensor<1x1x4x8xf32>) -> tensor<1x4x4x8xf32> {
  ^bb0(%a: tensor<1x8x8x4xf32>, %b: tensor<1x1x4x8xf32>):
    %c = nn.convolution %a, %b {strides = [2, 2], padding = [0, 0, 0, 0], lhs_dilation = [1, 1], rhs_dilation = [1, 1], groups = 1, layout = "nhwc", loc = "conv"} : (tensor<1x8x8x4xf32>, tensor<1x1x4x8xf32>) -> tensor<1x4x4x8xf32>
    nn.yield %c : tensor<1x4x4x8xf32>
  }
  func.return %y : tensor<1x4x4x8xf32>
}
