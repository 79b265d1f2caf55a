// RUN: fuse
// CHECK: %[[A:.*]] = nn.fused %x, %v :
// CHECK: nn.dot_general
// CHECK-NEXT: nn.yield
// CHECK: %[[B:.*]] = nn.fused %x, %w, %b, %[[A]] :
// CHECK: nn.dot_general
// CHECK: nn.broadcast_in_dim %b{{.*}} {dims = [1]
// CHECK: nn.add
// CHECK: nn.add
// CHECK: nn.constant {value = dense<0.0
// CHECK: nn.maximum
// CHECK: nn.yield
// CHECK: func.return %[[B]]
func.func @main(%x: tensor<4x8xf32>, %v: tensor<8x6xf32>, %w: tensor<8x6xf32>, %b: tensor<6xf32>) -> tensor<4x6xf32> {
  %p = nn.dot_general %x, %v {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %q = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %bs = nn.broadcast_in_dim %b {dims = [1], shape = [4, 6]} : (tensor<6xf32>) -> tensor<4x6xf32>
  %c = nn.add %q, %bs : tensor<4x6xf32>
  %s = nn.add %p, %c : tensor<4x6xf32>
  %zero = nn.constant {value = dense<0.0> : tensor<f32>} : tensor<f32>
  %zeros = nn.broadcast_in_dim %zero {dims = [], shape = [4, 6]} : (tensor<f32>) -> tensor<4x6xf32>
  %r = nn.maximum %s, %zeros : tensor<4x6xf32>
  func.return %r : tensor<4x6xf32>
}
