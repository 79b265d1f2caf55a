// RUN: channels-last,fold
// RESOURCE: w 8x12x3x3 random 1
// RESOURCE: v 128x5 random 2
// CHECK: nn.convolution
// CHECK-NOT: nn.transpose
// CHECK: nn.dot_general
func.func @main(%x: tensor<2x12x4x4xf32>) -> tensor<2x5xf32> {
  %w = nn.constant {resource = "w", shape = [8, 12, 3, 3], element_type = f32} : tensor<8x12x3x3xf32>
  %v = nn.constant {resource = "v", shape = [128, 5], element_type = f32} : tensor<128x5xf32>
  %a = nn.convolution %x, %w {strides = [1, 1], padding = [1, 1, 1, 1], lhs_dilation = [1, 1], rhs_dilation = [1, 1], groups = 1, layout = "nchw"} : (tensor<2x12x4x4xf32>, tensor<8x12x3x3xf32>) -> tensor<2x8x4x4xf32>
  %f = nn.reshape %a {shape = [2, 128]} : (tensor<2x8x4x4xf32>) -> tensor<2x128xf32>
  %y = nn.dot_general %f, %v {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<2x128xf32>, tensor<128x5xf32>) -> tensor<2x5xf32>
  func.return %y : tensor<2x5xf32>
}
