// RUN: slice-strides
func.func @main(%x: tensor<1x8x8x4xf32>, %w: tensor<1x1x4x6xf32>) -> tensor<1x4x4x6xf32> {
  %y = nn.convolution %x, %w {strides = [2, 2], padding = [0, 0, 0, 0], lhs_dilation = [1, 1], rhs_dilation = [1, 1], groups = 1, layout = "nhwc", loc = "node 'Conv_1' (Conv)"} : (tensor<1x8x8x4xf32>, tensor<1x1x4x6xf32>) -> tensor<1x4x4x6xf32>
  func.return %y : tensor<1x4x4x6xf32>
}
// error: pass 'slice-strides' takes form 'nn-fused', which the module does not have
// error: nn.convolution at node 'Conv_1' (Conv)
