// RUN: channels-last
// CHECK: nn.broadcast_in_dim %b {dims = [3], shape = [1, 8, 8, 4]
func.func @main(%x: tensor<1x4x8x8xf32>, %w: tensor<4x4x3x3xf32>, %b: tensor<4xf32>) -> tensor<1x4x8x8xf32> {
  %a = nn.convolution %x, %w {strides = [1, 1], padding = [1, 1, 1, 1], lhs_dilation = [1, 1], rhs_dilation = [1, 1], groups = 1, layout = "nchw"} : (tensor<1x4x8x8xf32>, tensor<4x4x3x3xf32>) -> tensor<1x4x8x8xf32>
  %bs = nn.broadcast_in_dim %b {dims = [1], shape = [1, 4, 8, 8]} : (tensor<4xf32>) -> tensor<1x4x8x8xf32>
  %s = nn.add %a, %bs : tensor<1x4x8x8xf32>
  func.return %s : tensor<1x4x8x8xf32>
}
