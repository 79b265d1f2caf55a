// RUN: fold-batch-norm
// RESOURCE: w 2x3x3x3 random 1
// (y - m) * f + o with m = 1, 2; f = 3, 5; o = 7, 11: the bias is o - m f = 4, 1.
// CHECK: %[[Y:.*]] = nn.convolution %x, %{{.*}} {
// CHECK-NEXT: %[[B:.*]] = nn.constant {value = dense<[4.000000e+00, 1.000000e+00]>
// CHECK-NEXT: %[[S:.*]] = nn.broadcast_in_dim %[[B]] {dims = [1], shape = [1, 2, 8, 8]
// CHECK-NEXT: nn.add %[[Y]], %[[S]]
// CHECK-NEXT: func.return
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x2x8x8xf32> {
  %w = nn.constant {resource = "w", shape = [2, 3, 3, 3], element_type = f32} : tensor<2x3x3x3xf32>
  %y = nn.convolution %x, %w {strides = [1, 1], padding = [1, 1, 1, 1], lhs_dilation = [1, 1], rhs_dilation = [1, 1], groups = 1, layout = "nchw"} : (tensor<1x3x8x8xf32>, tensor<2x3x3x3xf32>) -> tensor<1x2x8x8xf32>
  %m = nn.constant {value = dense<[1.0, 2.0]> : tensor<2xf32>} : tensor<2xf32>
  %ms = nn.broadcast_in_dim %m {dims = [1], shape = [1, 2, 8, 8]} : (tensor<2xf32>) -> tensor<1x2x8x8xf32>
  %c = nn.subtract %y, %ms : tensor<1x2x8x8xf32>
  %f = nn.constant {value = dense<[3.0, 5.0]> : tensor<2xf32>} : tensor<2xf32>
  %fs = nn.broadcast_in_dim %f {dims = [1], shape = [1, 2, 8, 8]} : (tensor<2xf32>) -> tensor<1x2x8x8xf32>
  %p = nn.multiply %c, %fs : tensor<1x2x8x8xf32>
  %o = nn.constant {value = dense<[7.0, 11.0]> : tensor<2xf32>} : tensor<2xf32>
  %os = nn.broadcast_in_dim %o {dims = [1], shape = [1, 2, 8, 8]} : (tensor<2xf32>) -> tensor<1x2x8x8xf32>
  %r = nn.add %p, %os : tensor<1x2x8x8xf32>
  func.return %r : tensor<1x2x8x8xf32>
}
