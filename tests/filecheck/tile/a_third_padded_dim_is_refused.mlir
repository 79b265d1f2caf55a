// RUN: tile
// TARGET: tests/targets/tiny.toml
// error: needs 3 bounds on one access
// error: the machine has two, one across lanes
#x = #mesh.layout<FP32, grid 2 x 3, [1, 4, 4, 4, 16]>
#w = #mesh.layout<FP32, grid 2 x 3, [3, 3, 3, 16, 16]>
func.func @main(%x: tensor<1x4x4x4x16xf32, #x>, %w: tensor<3x3x3x16x16xf32, #w>) -> tensor<1x4x4x4x16xf32, #x> {
  %y = nn.fused %x, %w : (tensor<1x4x4x4x16xf32, #x>, tensor<3x3x3x16x16xf32, #w>) -> tensor<1x4x4x4x16xf32, #x> {
  ^bb0(%a: tensor<1x4x4x4x16xf32>, %b: tensor<3x3x3x16x16xf32>):
    %c = nn.convolution %a, %b {strides = [1, 1, 1], padding = [1, 1, 1, 1, 1, 1], lhs_dilation = [1, 1, 1], rhs_dilation = [1, 1, 1], groups = 1, layout = "nhwc"} : (tensor<1x4x4x4x16xf32>, tensor<3x3x3x16x16xf32>) -> tensor<1x4x4x4x16xf32>
    nn.yield %c : tensor<1x4x4x4x16xf32>
  }
  func.return %y : tensor<1x4x4x4x16xf32, #x>
}
