// RUN: decompose
// CHECK: nn.pad %x, %{{.*}} {low = [0, 0, 1, 0, 0], high = [0, 0, 2, 0, 0], interior = [0, 0, 0, 0, 0]}
// CHECK: nn.convolution {{.*}} padding = [0, 0, 1, 1, 1, 1]
func.func @main(%x: tensor<1x3x4x4x4xf32>, %w: tensor<5x3x3x3x3xf32>) -> tensor<1x5x5x4x4xf32> {
  %y = nn.convolution %x, %w {strides = [1, 1, 1], padding = [1, 2, 1, 1, 1, 1], lhs_dilation = [1, 1, 1], rhs_dilation = [1, 1, 1], groups = 1, layout = "nchw"} : (tensor<1x3x4x4x4xf32>, tensor<5x3x3x3x3xf32>) -> tensor<1x5x5x4x4xf32>
  func.return %y : tensor<1x5x5x4x4xf32>
}
