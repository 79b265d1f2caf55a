// RUN: fuse,precision{to=bf16}
// CHECK: func.func @main(%x: tensor<4x8xbf16>, %w: tensor<8x6xbf16>) -> tensor<4x6xf32>
// CHECK: nn.fused %x, %w : (tensor<4x8xbf16>, tensor<8x6xbf16>) -> tensor<4x6xbf16>
// CHECK: nn.dot_general {{.*}} : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK: nn.yield {{.*}} : tensor<4x6xf32>
// CHECK: nn.reverse {{.*}} : tensor<4x6xbf16>
// CHECK: nn.fused {{.*}} : (tensor<4x6xbf16>) -> tensor<4x6xf32>
// CHECK: nn.reverse {{.*}} : tensor<4x6xf32>
func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x6xf32>) -> tensor<4x6xf32> {
  %p = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %t = nn.reverse %p {dims = [0]} : tensor<4x6xf32>
  %n = nn.negate %t : tensor<4x6xf32>
  %u = nn.reverse %n {dims = [1]} : tensor<4x6xf32>
  func.return %u : tensor<4x6xf32>
}
