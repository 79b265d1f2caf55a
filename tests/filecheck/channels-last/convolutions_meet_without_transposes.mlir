// RUN: channels-last,fold
// RESOURCE: w 4x4x3x3 random 1
// The input is transposed once, the result once; between the convolutions nothing moves.
// CHECK: %[[X:.*]] = nn.transpose %x {permutation = [0, 2, 3, 1]
// CHECK: %[[A:.*]] = nn.convolution %[[X]], %{{.*}} layout = "nhwc"
// CHECK-NOT: nn.transpose
// CHECK: %[[R:.*]] = nn.maximum %[[A]]
// CHECK: %[[B:.*]] = nn.convolution %[[R]], %{{.*}} layout = "nhwc"
// CHECK: %[[S:.*]] = nn.add %[[B]], %[[R]] : tensor<1x8x8x4xf32>
// CHECK: nn.transpose %[[S]] {permutation = [0, 3, 1, 2]
func.func @main(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> {
  %w = nn.constant {resource = "w", shape = [4, 4, 3, 3], element_type = f32} : tensor<4x4x3x3xf32>
  %a = nn.convolution %x, %w {strides = [1, 1], padding = [1, 1, 1, 1], lhs_dilation = [1, 1], rhs_dilation = [1, 1], groups = 1, layout = "nchw"} : (tensor<1x4x8x8xf32>, tensor<4x4x3x3xf32>) -> tensor<1x4x8x8xf32>
  %zero = nn.constant {value = dense<0.0> : tensor<f32>} : tensor<f32>
  %zeros = nn.broadcast_in_dim %zero {dims = [], shape = [1, 4, 8, 8]} : (tensor<f32>) -> tensor<1x4x8x8xf32>
  %r = nn.maximum %a, %zeros : tensor<1x4x8x8xf32>
  %b = nn.convolution %r, %w {strides = [1, 1], padding = [1, 1, 1, 1], lhs_dilation = [1, 1], rhs_dilation = [1, 1], groups = 1, layout = "nchw"} : (tensor<1x4x8x8xf32>, tensor<4x4x3x3xf32>) -> tensor<1x4x8x8xf32>
  %s = nn.add %b, %r : tensor<1x4x8x8xf32>
  func.return %s : tensor<1x4x8x8xf32>
}
